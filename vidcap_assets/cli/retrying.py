"""``vidcap retry``."""

from collections.abc import Sequence
from typing import Annotated

import typer

from resources.annotation.outcome import ErrorKind
from resources.lake.lake import META
from vidcap_assets.cli.output import Json, console, print_json
from vidcap_assets.cli.stages import MERGED, TAGS, Stage, conclude, run_stages


def retry(
    failed: Annotated[
        bool, typer.Option("--failed", help="Try failed clips again (the only thing there is to retry).")
    ] = False,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only failures of this kind; may stand several times.")
    ] = None,
    annotator: Annotated[
        list[str] | None, typer.Option(help="Only of this annotator; may stand several times.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Try failed clips again, and bring what depends on them up to date.

    `vidcap status` lists the failures by kind. With `--kind`, failures of other kinds are left as they are,
    but for those that may pass by themselves (rate_limited, out_of_memory, …): any run takes them up.
    """
    kinds = _known_kinds(kind or [])
    _check_annotators(annotator or [])
    if not failed:
        raise typer.BadParameter("say --failed: only failed clips can be tried again")
    shards_of: dict[tuple[str, ...], list[str]] = {}
    for shard, names in _failed_shards(kinds, annotator or [], as_json).items():
        shards_of.setdefault(tuple(names), []).append(shard)
    if not shards_of:
        if as_json:
            print_json({"success": True, "runs": []})
        else:
            console.print("[green]✓[/green] nothing of that kind failed")
        return
    results = [
        result
        for names, shards in shards_of.items()
        for result in run_stages(retry_stages(names, kinds), shards, as_json)
    ]
    conclude(results, as_json)


def retry_stages(annotators: Sequence[str], kinds: Sequence[ErrorKind]) -> tuple[Stage, ...]:
    """The failed annotators and everything that reads them."""
    again = set(annotators)
    if META in again:
        again |= {"captions_pllava", "captions_llava", "camera_motion"}
    if any(name.startswith("captions_") for name in again):
        again |= set(TAGS)
    redo_final = not kinds or any(kind.is_final for kind in kinds)
    redone = {_op(name) for name in annotators if name != META} if redo_final else set()
    redo = {"redo": "FAILED", "redo_kinds": [kind.name for kind in kinds]}
    stages = []
    for job, mine in (
        ("caption_videos", ("captions_pllava", "captions_llava", "camera_motion", *TAGS)),
        ("caption_videos_gpt4v", ("captions_gpt4v",)),
    ):
        names = tuple(name for name in mine if name in again)
        if not names and not (job == "caption_videos" and META in again):
            continue
        ops = dict.fromkeys(map(_op, names))
        again_in = {op: {"config": redo} for op in ops if op in redone}
        config = {"ops": again_in} if again_in else {}
        steps = ([META] if META in again and job == "caption_videos" else []) + [*ops, MERGED]
        stages.append(Stage(job, names, tuple(steps), config))
    return tuple(reversed(stages))


def _failed_shards(
    kinds: Sequence[ErrorKind], annotators: Sequence[str], as_json: bool
) -> dict[str, list[str]]:
    from vidcap_assets.cli.reading import query

    rows = query("SELECT annotator, error_kind, shards FROM failures", as_json)
    found: dict[str, set[str]] = {}
    for row in rows:
        if (kinds and row["error_kind"] not in kinds) or (annotators and row["annotator"] not in annotators):
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


def _op(annotator: str) -> str:
    return "tags" if annotator in TAGS else annotator


def _check_annotators(names: Sequence[str]) -> None:
    from resources.warehouse import ANNOTATORS

    there = (META, *ANNOTATORS)
    if unknown := [name for name in names if name not in there]:
        raise typer.BadParameter(f"no such annotator {', '.join(unknown)}; there are {', '.join(there)}")
