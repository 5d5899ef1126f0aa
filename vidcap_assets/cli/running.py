"""Commands that make something happen to the clips."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from resources.annotation.outcome import ErrorKind
from resources.lake import META, Lake
from vidcap_assets import environment
from vidcap_assets.cli.bars import Bars
from vidcap_assets.cli.job_run import JobResult, dagster_environment, run_job
from vidcap_assets.cli.output import Json, console, fail, print_json
from vidcap_assets.launch import contiguous, shard_tags

_SHARDS_PER_RUN = 32
_TAGS = ("tags_objects", "tags_actions")
_MERGED = "captioned_videos"


class Captioner(StrEnum):
    """The captioners by their short names."""

    PLLAVA = "pllava"
    LLAVA = "llava"
    GPT4V = "gpt4v"


@dataclass(frozen=True)
class Stage:
    """One job of a pass over some shards: which of its steps, and whose progress to show."""

    job: str
    annotators: tuple[str, ...]
    steps: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)


def run(
    source: Annotated[
        str | None,
        typer.Argument(
            help="Folder, or .csv/.parquet list with a column `path`; default: $VIDCAP_SOURCE, else demo clips."
        ),
    ] = None,
    captioners: Annotated[
        str, typer.Option(help="Which captioners, with commas between: pllava, llava, gpt4v (costs money).")
    ] = "pllava,llava",
    shard_size: Annotated[
        int | None, typer.Option(min=1, help="Clips in a new shard; default: $VIDCAP_SHARD_SIZE, else 500.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on looking for new clips until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=1, help="With --watch: seconds between looks.")] = 60,
    as_json: Json = False,
) -> None:
    """Find the clips of SOURCE, caption all of them, and merge the answers.

    What has its answer is not done again, so the same command also carries on after an interruption. A
    run that fails leaves what it has; the summary names what is left to do.
    """
    stages = _stages(captioners)
    if source is not None:
        os.environ["VIDCAP_SOURCE"] = (
            source if source == environment.DEMO_SOURCE else str(Path(source).absolute())
        )
    if shard_size is not None:
        os.environ["VIDCAP_SHARD_SIZE"] = str(shard_size)
    finished: set[str] = set()
    results: list[JobResult] = []
    try:
        while True:
            results.append(_index(as_json))
            shards = [shard for shard in Lake(environment.home()).shards() if shard not in finished]
            done = _run_stages(stages, shards, as_json)
            results += done
            if all(result.success for result in done):
                finished.update(shards)
            if not watch:
                break
            if shards and not as_json:
                console.print(
                    f"watching {escape(environment.source())}, looking every {every:.0f} s; Ctrl-C ends"
                )
            time.sleep(every)
    except KeyboardInterrupt:
        if not watch:
            console.print("interrupted; every finished batch is kept, the same command goes on from there")
            raise typer.Exit(130) from None
    _conclude(results, as_json)


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

    `vidcap status` lists the failures by kind. Passing kinds (rate_limited, out_of_memory, …) are done
    again alone; for final ones (decode_error, refused, …) all failed clips of the shards concerned are.
    """
    kinds = _known_kinds(kind or [])
    if not failed:
        raise typer.BadParameter("say --failed: only failed clips can be tried again")
    stages: dict[tuple[Stage, ...], list[str]] = {}
    for shard, names in _failed_shards(kinds, annotator or [], as_json).items():
        stages.setdefault(_retry_stages(names, kinds), []).append(shard)
    if not stages:
        if as_json:
            print_json({"success": True, "runs": []})
        else:
            console.print("[green]✓[/green] nothing of that kind failed")
        return
    results = [
        result for todo, shards in stages.items() for result in _run_stages(list(todo), shards, as_json)
    ]
    _conclude(results, as_json)


def ui(
    port: Annotated[int, typer.Option(help="Port of the web server.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Open Dagster's web interface: asset graph, partitions, runs, logs. Ctrl-C ends it."""
    command = [sys.executable, "-W", "ignore", "-m", "dagster", "dev", "-m", environment.definitions()]
    command += ["-p", str(port), "-h", host]
    console.print(f"http://{host}:{port}")
    try:
        code = subprocess.run(command, check=False, env=dagster_environment()).returncode
    except KeyboardInterrupt:
        code = 0
    raise typer.Exit(code)


def _stages(captioners: str) -> list[Stage]:
    try:
        chosen = [Captioner(name.strip()) for name in captioners.split(",") if name.strip()]
    except ValueError as error:
        raise typer.BadParameter(f"{error}; there are {', '.join(Captioner)}") from error
    local = tuple(f"captions_{name}" for name in chosen if name is not Captioner.GPT4V)
    paid = (f"captions_{Captioner.GPT4V}",) if Captioner.GPT4V in chosen else ()
    if not paid:
        return [
            Stage(
                "caption_videos",
                (*local, "camera_motion", *_TAGS),
                (META, *local, "camera_motion", "tags", _MERGED),
            )
        ]
    return [
        Stage("caption_videos", (*local, "camera_motion"), (META, *local, "camera_motion")),
        Stage("caption_videos_gpt4v", (*paid, *_TAGS)),
    ]


def _retry_stages(annotators: Sequence[str], kinds: Sequence[ErrorKind]) -> tuple[Stage, ...]:
    """The failed annotators and everything that reads them."""
    again = set(annotators)
    if META in again:
        again |= {"captions_pllava", "captions_llava", "camera_motion"}
    if any(name.startswith("captions_") for name in again):
        again |= set(_TAGS)
    redo_final = not kinds or any(kind.is_final for kind in kinds)
    stages = []
    for job, mine in (
        ("caption_videos", ("captions_pllava", "captions_llava", "camera_motion", *_TAGS)),
        ("caption_videos_gpt4v", ("captions_gpt4v",)),
    ):
        names = tuple(name for name in mine if name in again)
        if not names and not (job == "caption_videos" and META in again):
            continue
        ops = dict.fromkeys("tags" if name in _TAGS else name for name in names)
        config = {"ops": {op: {"config": {"redo": "FAILED"}} for op in ops}} if redo_final else {}
        steps = ([META] if META in again and job == "caption_videos" else []) + [*ops, _MERGED]
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
        raise typer.BadParameter(f"{error}; there are {', '.join(ErrorKind)}") from error


def _index(as_json: bool) -> JobResult:
    if not as_json:
        console.print(f"looking for clips in [bold]{escape(environment.source())}[/bold]")
    result = run_job("index_videos")
    if not result.success:
        reason = next(iter(result.failures.values()), "the index could not be made")
        fail(reason, as_json, runs=[result.as_json()])
    lake = Lake(environment.home())
    if not as_json:
        console.print(
            f"{sum(_clips(lake, shard) for shard in lake.shards())} clips in {len(lake.shards())} shards"
        )
    return result


def _run_stages(stages: Sequence[Stage], shards: Sequence[str], as_json: bool) -> list[JobResult]:
    lake = Lake(environment.home())
    results = []
    for some in contiguous(lake.shards(), shards, _SHARDS_PER_RUN):
        clips = sum(_clips(lake, shard) for shard in some)
        for stage in stages:
            if not as_json:
                span = some[0] if len(some) == 1 else f"{some[0]} to {some[-1]}"
                console.print(f"[dim]{stage.job}, {span}[/dim]")
            with Bars(console, stage.annotators, clips, silent=as_json) as bars:
                result = run_job(
                    stage.job, tags=shard_tags(some), steps=stage.steps, config=stage.config, watch=bars.show
                )
            results.append(result)
            if not result.success and not as_json:
                for step, reason in result.failures.items():
                    console.print(f"[red]✗[/red] {escape(step)}: {escape(reason)}", soft_wrap=True)
                console.print(f"[dim]log: {escape(str(result.log))}[/dim]", soft_wrap=True)
    return results


def _clips(lake: Lake, shard: str) -> int:
    return len(lake.manifest(shard))


def _conclude(results: Sequence[JobResult], as_json: bool) -> None:
    success = all(result.success for result in results)
    if as_json:
        print_json({"success": success, "runs": [result.as_json() for result in results]})
    else:
        from vidcap_assets.cli.looking import show_coverage

        if success:
            show_coverage()
            console.print("[green]✓[/green] done. Next: vidcap report, vidcap export, vidcap status")
        else:
            console.print(
                "[red]✗[/red] not everything is done; what is there is kept, the same command goes on from there"
            )
    if not success:
        raise typer.Exit(1)
