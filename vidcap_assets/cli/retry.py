"""``vidcap retry``."""

from collections.abc import Collection, Sequence
from typing import Annotated, Any

import typer

from resources.annotation.declaration import AnnotatorSettings
from resources.annotation.outcome import ErrorKind
from resources.lake.lake import META
from vidcap_assets.cli.annotators import assets_named
from vidcap_assets.cli.conclusion import conclude
from vidcap_assets.cli.in_force import collection_file, keep_off_the_demo
from vidcap_assets.cli.output import Json, console, print_result
from vidcap_assets.cli.redo import Yes, settle_redoing
from vidcap_assets.cli.stages import Stage, run_stages, stages_of
from vidcap_assets.cli.warehouse import query
from vidcap_assets.collection.settings import CollectionSettings


def retry(
    context: typer.Context,
    failed: Annotated[
        bool, typer.Option("--failed", help="Try failed clips again (the only thing there is to retry).")
    ] = False,
    kind: Annotated[
        list[ErrorKind] | None, typer.Option(help="Only failures of this kind; can be given more than once.")
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
    kinds = kind or []
    only = assets_named(settings, annotator or [], META)
    if not failed:
        raise typer.BadParameter("say --failed: only failed clips can be tried again")
    shards_of: dict[tuple[str, ...], list[str]] = {}
    for shard, names in _failed_shards(settings, kinds, only).items():
        shards_of.setdefault(tuple(names), []).append(shard)
    if not shards_of:
        print_result({"success": True, "runs": []})
        console.print("[green]✓[/green] nothing of that kind failed")
        return
    settle_redoing(settings, again(settings, {name for names in shards_of for name in names}), yes)
    results = [
        result
        for names, shards in shards_of.items()
        for result in run_stages(settings, retry_stages(settings, names, kinds), shards)
    ]
    conclude(settings, results, context)


def again(settings: CollectionSettings, assets: Collection[str]) -> list[AnnotatorSettings]:
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


def _entries(settings: CollectionSettings, assets: Collection[str]) -> list[AnnotatorSettings]:
    return [one for one in settings.working if any(each.asset in assets for each in one.declares())]


def _failed_shards(
    settings: CollectionSettings, kinds: Sequence[ErrorKind], only: Sequence[str]
) -> dict[str, list[str]]:
    # What was taken out of the file keeps its rows, and is not asked again.
    there = set(only or [META, *(one.asset for one in settings.declared)])
    found: dict[str, set[str]] = {}
    for row in query("SELECT annotator, error_kind, shards FROM failures"):
        if (not kinds or row["error_kind"] in kinds) and row["annotator"] in there:
            for shard in row["shards"]:
                found.setdefault(shard, set()).add(row["annotator"])
    return {shard: sorted(names) for shard, names in sorted(found.items())}
