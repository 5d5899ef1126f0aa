"""``vidcap retry``."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from resources.annotation.declaration import AnnotatorSettings
from resources.annotation.outcome import ErrorKind
from resources.lake.lake import META
from vidcap_assets.cli.choosing import assets_named
from vidcap_assets.cli.conclusion import conclude
from vidcap_assets.cli.in_force import collection_file, keep_off_the_demo
from vidcap_assets.cli.output import Json, console, print_json
from vidcap_assets.cli.redoing import Yes, settle_redoing
from vidcap_assets.cli.stages import Stage, run_stages, stages_of
from vidcap_assets.collection.settings import CollectionSettings


def retry(
    failed: Annotated[
        bool, typer.Option("--failed", help="Try failed clips again (the only thing there is to retry).")
    ] = False,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only failures of this kind; can be given more than once.")
    ] = None,
    annotator: Annotated[
        list[str] | None, typer.Option(help="Only of this annotator; can be given more than once.")
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Try failed clips again, and bring what depends on them up to date.

    `vidcap status` lists the failures by kind. With `--kind`, failures of other kinds are left as they are,
    but for those that may pass by themselves (rate_limited, out_of_memory, …): any run takes them up.
    """
    keep_off_the_demo()
    settings = collection_file(pin=True).settings
    kinds = _known_kinds(kind or [])
    only = assets_named(settings, annotator or [], META)
    if not failed:
        raise typer.BadParameter("say --failed: only failed clips can be tried again")
    shards_of: dict[tuple[str, ...], list[str]] = {}
    for shard, names in _failed_shards(settings, kinds, only, as_json).items():
        shards_of.setdefault(tuple(names), []).append(shard)
    if not shards_of:
        if as_json:
            print_json({"success": True, "runs": []})
        else:
            console.print("[green]✓[/green] nothing of that kind failed")
        return
    everything = {name for names in shards_of for name in names}
    settle_redoing(settings, again(settings, everything), yes, as_json)
    results = [
        result
        for names, shards in shards_of.items()
        for result in run_stages(settings, retry_stages(settings, names, kinds), shards, as_json)
    ]
    conclude(settings, results, as_json)


def again(settings: CollectionSettings, assets: Sequence[str] | set[str]) -> list[AnnotatorSettings]:
    """The annotators of these assets and what reads their answers; all unpaid ones where files were unreadable."""
    failed = _entries(settings, assets)
    wanted = [*failed, *(reader for one in failed for reader in settings.readers(one))]
    if META in assets:
        wanted += [one for one in settings.working if not one.paid]
    return [one for one in settings.working if one in wanted]


def retry_stages(
    settings: CollectionSettings, assets: Sequence[str], kinds: Sequence[ErrorKind]
) -> list[Stage]:
    """The failed annotators and everything that reads them; final failures are asked for by name."""
    redone = _entries(settings, assets) if not kinds or any(kind.is_final for kind in kinds) else []
    redo: dict[str, Any] = {"redo": "FAILED", "redo_kinds": [kind.name for kind in kinds]}
    return stages_of(
        settings,
        again(settings, assets),
        meta=META in assets,
        configure=lambda entry: redo if entry in redone else {},
    )


def _entries(settings: CollectionSettings, assets: Sequence[str] | set[str]) -> list[AnnotatorSettings]:
    return [one for one in settings.working if any(each.asset in assets for each in one.declares())]


def _failed_shards(
    settings: CollectionSettings, kinds: Sequence[ErrorKind], only: Sequence[str], as_json: bool
) -> dict[str, list[str]]:
    from vidcap_assets.cli.reading import query

    rows = query("SELECT annotator, error_kind, shards FROM failures", as_json)
    # What was taken out of the file keeps its rows, and is not asked again.
    there = set(only or [META, *(one.asset for one in settings.declared)])
    found: dict[str, set[str]] = {}
    for row in rows:
        if (kinds and row["error_kind"] not in kinds) or row["annotator"] not in there:
            continue
        for shard in row["shards"]:
            found.setdefault(shard, set()).add(row["annotator"])
    return {shard: sorted(names) for shard, names in sorted(found.items())}


def _known_kinds(names: Sequence[str]) -> list[ErrorKind]:
    try:
        return [ErrorKind(name) for name in names]
    except ValueError as error:
        unknown = ", ".join(name for name in names if name not in set(ErrorKind))
        raise typer.BadParameter(f"no such kind {unknown}; there are {', '.join(ErrorKind)}") from error
