"""``vidcap run``."""

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from resources.lake.lake import Lake
from resources.lake.left_out import lines
from vidcap_assets.cli.annotators import chosen
from vidcap_assets.cli.budgets import with_budgets
from vidcap_assets.cli.conclusion import conclude
from vidcap_assets.cli.in_force import SOURCE_VARIABLE, collection_file, is_default, tell_left_out
from vidcap_assets.cli.job_run import JobResult, run_job
from vidcap_assets.cli.output import Json, console, errors, fail, tell
from vidcap_assets.cli.progress import Bars
from vidcap_assets.cli.redo import Yes, settle_redoing
from vidcap_assets.cli.stages import run_stages, stages_of
from vidcap_assets.collection.blocks import DEMO_SOURCE
from vidcap_assets.collection.settings import CollectionError, CollectionSettings


def run(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(
            help="Folder, or .csv/.parquet list with a column `path`; default: what the collection file says, "
            "else $VIDCAP_SOURCE, else demo clips."
        ),
    ] = None,
    captioners: Annotated[
        str | None,
        typer.Option(
            help="Captioners, comma-separated, by their names in the collection file; '' for none. Paid ones "
            "(they cost money) run only when named here.",
            show_default="all that are not paid",
        ),
    ] = None,
    shard_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Clips in a new shard; default: what the file says, else $VIDCAP_SHARD_SIZE, else 500.",
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on looking for new clips until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=1, help="With --watch: seconds between looks.")] = 60,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Find the clips of SOURCE, caption all of them, and merge the answers.

    What has its answer is not done again, so the same command also carries on after an interruption. A
    run that fails leaves what it has; the summary names what is left to do.
    """
    overrides: dict[str, Any] = {} if source is None else _take_source(_source(source))
    if shard_size is not None:
        overrides["shard_size"] = shard_size
    settings = collection_file(pin=True).settings
    looked_in = str(overrides.get("uri", settings.source.uri))
    annotators = chosen(settings, captioners)
    tell_left_out(settings)
    settle_redoing(settings, annotators, yes)
    stages = stages_of(settings, annotators)
    lake = Lake(settings.home)
    finished: set[str] = set()
    results: list[JobResult] = []
    started = time.monotonic()
    tell(f"looking for clips in [bold]{escape(looked_in)}[/bold]")
    while True:
        indexed = _index(settings, overrides, may_fail=bool(results))
        if indexed.success and (not results or not finished.issuperset(lake.shards())):
            _tell_clips(lake)
        results.append(indexed)
        shards = [shard for shard in lake.shards() if shard not in finished]
        stages = list(with_budgets(settings, stages, shards))
        done = run_stages(settings, stages, shards) if indexed.success else []
        results += done
        if done and all(result.success for result in done):
            finished.update(shards)
        if not watch or not _wait(looked_in, every, told=not done):
            break
    conclude(settings, results, context, time.monotonic() - started if settings.is_demo else None)


def _source(named: str) -> str:
    if named == DEMO_SOURCE or "://" in named:
        return named
    path = Path(named).expanduser().absolute()
    if not path.exists():
        fail(f"source {path}: there is no such folder or list")
    return str(path)


def _take_source(source: str) -> dict[str, str]:
    """Let the source hold for this command; what the configuration of the index has to say for it.

    Raises:
        CollectionError: the file is for the demonstration clips, and so are its models.
    """
    file = collection_file()
    if is_default(file):
        os.environ[SOURCE_VARIABLE] = source
        return {}
    stated = file.settings.source.uri
    if source == stated:
        return {}
    if file.settings.is_demo:
        raise CollectionError(f"{file.path} is for the demo clips; write into it: `source: {source}`")
    tell(f"{file.path} says source: {stated}; this command looks in {source}")
    return {"uri": source}


def _wait(source: str, seconds: float, told: bool) -> bool:
    """Sleep until the next look; false where Ctrl-C ends the watch."""
    if not told:
        tell(f"watching {escape(source)}, looking every {seconds:.0f} s; Ctrl-C ends")
    try:
        time.sleep(seconds)
    except KeyboardInterrupt:
        return False
    return True


def _index(settings: CollectionSettings, overrides: dict[str, Any], may_fail: bool) -> JobResult:
    """Put new clips into shards; a watch goes on where the source cannot be read for once."""
    config = {"resources": {settings.label("source"): {"config": overrides}}} if overrides else {}
    with Bars(console, ("video_index",), 0) as bars:
        result = run_job("index_videos", config=config, watch=bars.show, stopping=bars.stopping)
    if not result.success:
        reason = next(iter(result.failures.values()), "the index could not be made")
        if not may_fail:
            fail(reason, runs=[result])
        errors.print(f"[red]✗[/red] {escape(reason)}", soft_wrap=True)
    return result


def _tell_clips(lake: Lake) -> None:
    shards = lake.shards()
    clips, plural = sum(len(lake.manifest(shard)) for shard in shards), "" if len(shards) == 1 else "s"
    console.print(f"{clips} clips in {len(shards)} shard{plural}")
    for line in lines(lake.left_out()):
        tell(f"left out: {line}", markup=False)
