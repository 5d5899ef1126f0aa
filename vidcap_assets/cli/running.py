"""``vidcap run`` and ``vidcap ui``."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from resources.lake.lake import Lake
from vidcap_assets.cli.choosing import chosen
from vidcap_assets.cli.conclusion import Demo, conclude
from vidcap_assets.cli.in_force import (
    SOURCE_VARIABLE,
    collection,
    collection_file,
    is_default,
    tell_left_out,
)
from vidcap_assets.cli.job_run import JobResult, dagster_environment, definitions, run_job
from vidcap_assets.cli.output import Json, console, errors, fail, print_json
from vidcap_assets.cli.redoing import Yes, settle_redoing
from vidcap_assets.cli.stages import clips_in, run_stages, stages_of
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
    overrides: dict[str, Any] = {} if source is None else _take_source(_source(source, as_json), as_json)
    if shard_size is not None:
        overrides["shard_size"] = shard_size
    settings = collection_file(pin=True).settings
    looked_in = str(overrides.get("uri", settings.source.uri))
    annotators = chosen(settings, captioners)
    if not as_json:
        tell_left_out(settings)
    settle_redoing(settings, annotators, yes, as_json)
    stages = stages_of(settings, annotators)
    finished: set[str] = set()
    results: list[JobResult] = []
    started = time.monotonic()
    while True:
        results.append(_index(settings, looked_in, overrides, as_json, finished, watch and bool(results)))
        shards = [shard for shard in Lake(settings.home).shards() if shard not in finished]
        done = run_stages(settings, stages, shards, as_json) if results[-1].success else []
        results += done
        if done and all(result.success for result in done):
            finished.update(shards)
        if not watch or not _wait(looked_in, every, told=as_json or not done):
            break
    demo = Demo(time.monotonic() - started, context.find_root().params) if settings.is_demo else None
    conclude(settings, results, as_json, demo)


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the web server.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    as_json: Json = False,
) -> None:
    """Open Dagster's web interface: asset graph, partitions, runs, logs. Ctrl-C ends it."""
    collection()
    command = [sys.executable, "-W", "ignore", "-m", "dagster", "dev", "-m", definitions()]
    command += ["-p", str(port), "-h", host]
    address = f"http://{host}:{port}"
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        fail(f"cannot serve on {address}: {error.strerror}; another --port may be free", as_json)
    if as_json:
        print_json({"address": address})
    else:
        console.print(address)
    with subprocess.Popen(command, env=dagster_environment()) as process:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            # The server got the same signal; it ends its own processes before it ends.
            process.wait()
            code = 0
    raise typer.Exit(1 if code else 0)


def _source(named: str, as_json: bool) -> str:
    if named == DEMO_SOURCE or "://" in named:
        return named
    path = Path(named).expanduser().absolute()
    if not path.exists():
        fail(f"source {path}: there is no such folder or list", as_json)
    return str(path)


def _take_source(source: str, as_json: bool) -> dict[str, str]:
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
    if not as_json:
        console.print(f"{file.path} says source: {stated}; this command looks in {source}", soft_wrap=True)
    return {"uri": source}


def _wait(source: str, seconds: float, told: bool) -> bool:
    """Sleep until the next look; false where Ctrl-C ends the watch."""
    if not told:
        console.print(
            f"watching {escape(source)}, looking every {seconds:.0f} s; Ctrl-C ends", soft_wrap=True
        )
    try:
        time.sleep(seconds)
    except KeyboardInterrupt:
        return False
    return True


def _index(
    settings: CollectionSettings,
    source: str,
    overrides: dict[str, Any],
    as_json: bool,
    known: set[str],
    may_fail: bool,
) -> JobResult:
    first = not known and not may_fail
    if first and not as_json:
        console.print(f"looking for clips in [bold]{escape(source)}[/bold]", soft_wrap=True)
    config = {"resources": {settings.label("source"): {"config": overrides}}} if overrides else {}
    result = run_job("index_videos", config=config)
    if not result.success:
        reason = next(iter(result.failures.values()), "the index could not be made")
        if not may_fail:
            fail(reason, as_json, runs=[result.as_json()])
        errors.print(f"[red]✗[/red] {escape(reason)}", soft_wrap=True)
        return result
    lake = Lake(settings.home)
    shards = lake.shards()
    if not as_json and (first or not known.issuperset(shards)):
        clips, plural = sum(clips_in(lake, shard) for shard in shards), "" if len(shards) == 1 else "s"
        console.print(f"{clips} clips in {len(shards)} shard{plural}")
    return result
