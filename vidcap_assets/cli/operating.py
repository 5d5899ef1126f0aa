"""Commands for who keeps an installation running."""

import os
from datetime import timedelta
from typing import Annotated

import typer
from rich.markup import escape

from vidcap_assets.cli.job_run import dagster_environment
from vidcap_assets.cli.output import Json, console, print_json


def reap(
    older_than: Annotated[
        float, typer.Option(min=0, help="Leave runs alone that began less than so many minutes ago.")
    ] = 0,
    lost_host: Annotated[
        list[str] | None,
        typer.Option(help="A machine that will not come back; may stand several times."),
    ] = None,
    as_json: Json = False,
) -> None:
    """End runs whose processes are gone (a killed machine), so that they hold no GPU slot for ever."""

    from dagster._cli.utils import get_possibly_temporary_instance_for_cli

    from vidcap_assets.reaper import reap as reap_runs

    os.environ.update(dagster_environment())
    with get_possibly_temporary_instance_for_cli("vidcap reap") as instance:
        reaped = reap_runs(instance, timedelta(minutes=older_than), lost_host or [])
    if as_json:
        print_json([run.to_json() for run in reaped])
    elif not reaped:
        console.print(
            "[green]✓[/green] every run that is under way has a live process, or is on another machine"
        )
    for run in [] if as_json else reaped:
        console.print(
            f"ended {run.run_id} ({escape(run.job)} {escape(run.shards)}): {escape(run.reason)}",
            soft_wrap=True,
        )
