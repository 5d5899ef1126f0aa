"""``vidcap run`` and ``vidcap ui``."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from resources.lake.lake import META, Lake
from vidcap_assets.cli.job_run import JobResult, dagster_environment, run_job
from vidcap_assets.cli.output import Json, console, errors, fail, print_json
from vidcap_assets.cli.stages import MERGED, TAGS, Stage, clips_in, conclude, run_stages
from vidcap_assets.collection import environment


class Captioner(StrEnum):
    """The captioners by their short names."""

    PLLAVA = "pllava"
    LLAVA = "llava"
    GPT4V = "gpt4v"


def asset_of(captioner: str) -> str:
    """The asset of a captioner that is named short (``llava``); any other name as it is."""
    return f"captions_{captioner}" if captioner in set(Captioner) else captioner


def run(
    source: Annotated[
        str | None,
        typer.Argument(
            help="Folder, or .csv/.parquet list with a column `path`; default: $VIDCAP_SOURCE, else demo clips."
        ),
    ] = None,
    captioners: Annotated[
        str,
        typer.Option(
            help="Which captioners, with commas between: pllava, llava, gpt4v (costs money); '' for none."
        ),
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
    stages = stages_for(captioners)
    if source is not None:
        os.environ["VIDCAP_SOURCE"] = _source(source, as_json)
    if shard_size is not None:
        os.environ["VIDCAP_SHARD_SIZE"] = str(shard_size)
    if not as_json and environment.source() != environment.DEMO_SOURCE:
        _warn_of_demonstration_models(stages)
    finished: set[str] = set()
    results: list[JobResult] = []
    while True:
        results.append(_index(as_json, finished, may_fail=watch and bool(results)))
        shards = [shard for shard in Lake(environment.home()).shards() if shard not in finished]
        done = run_stages(stages, shards, as_json) if results[-1].success else []
        results += done
        if done and all(result.success for result in done):
            finished.update(shards)
        if not watch or not _wait(every, told=as_json or not done):
            break
    conclude(results, as_json)


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the web server.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    as_json: Json = False,
) -> None:
    """Open Dagster's web interface: asset graph, partitions, runs, logs. Ctrl-C ends it."""
    command = [sys.executable, "-W", "ignore", "-m", "dagster", "dev", "-m", environment.definitions()]
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


def stages_for(captioners: str) -> list[Stage]:
    """What `vidcap run` does with these captioners, named with commas between."""
    try:
        chosen = [Captioner(name.strip()) for name in captioners.split(",") if name.strip()]
    except ValueError as error:
        raise typer.BadParameter(
            f"no such captioner among {captioners}; there are {', '.join(Captioner)}"
        ) from error
    local = tuple(f"captions_{name}" for name in chosen if name is not Captioner.GPT4V)
    paid = (f"captions_{Captioner.GPT4V}",) if Captioner.GPT4V in chosen else ()
    if not paid:
        return [
            Stage(
                "caption_videos",
                (*local, "camera_motion", *TAGS),
                (META, *local, "camera_motion", "tags", MERGED),
            )
        ]
    return [
        Stage("caption_videos", (*local, "camera_motion"), (META, *local, "camera_motion")),
        Stage("caption_videos_gpt4v", (*paid, *TAGS)),
    ]


def _warn_of_demonstration_models(stages: Sequence[Stage]) -> None:
    variables = {"captions_pllava": "VIDCAP_PLLAVA_MODEL", "captions_llava": "VIDCAP_LLAVA_MODEL"}
    asked = {name for stage in stages for name in stage.annotators}
    if unset := [
        name for asset, name in variables.items() if asset in asked and not environment.setting(name)
    ]:
        console.print(
            f"[yellow]![/yellow] {', '.join(unset)} not set: the demonstration models caption, which know the demo "
            "clips and nothing else",
            soft_wrap=True,
        )


def _source(named: str, as_json: bool) -> str:
    if named == environment.DEMO_SOURCE:
        return named
    path = Path(named).expanduser().absolute()
    if not path.exists():
        fail(f"source {path}: there is no such folder or list", as_json)
    return str(path)


def _wait(seconds: float, told: bool) -> bool:
    """Sleep until the next look; false where Ctrl-C ends the watch."""
    if not told:
        console.print(
            f"watching {escape(environment.source())}, looking every {seconds:.0f} s; Ctrl-C ends",
            soft_wrap=True,
        )
    try:
        time.sleep(seconds)
    except KeyboardInterrupt:
        return False
    return True


def _index(as_json: bool, known: set[str], may_fail: bool) -> JobResult:
    first = not known and not may_fail
    if first and not as_json:
        console.print(f"looking for clips in [bold]{escape(environment.source())}[/bold]", soft_wrap=True)
    result = run_job("index_videos")
    if not result.success:
        reason = next(iter(result.failures.values()), "the index could not be made")
        if not may_fail:
            fail(reason, as_json, runs=[result.as_json()])
        errors.print(f"[red]✗[/red] {escape(reason)}", soft_wrap=True)
        return result
    lake = Lake(environment.home())
    shards = lake.shards()
    if not as_json and (first or not known.issuperset(shards)):
        clips, plural = sum(clips_in(lake, shard) for shard in shards), "" if len(shards) == 1 else "s"
        console.print(f"{clips} clips in {len(shards)} shard{plural}")
    return result
