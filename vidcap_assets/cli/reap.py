"""``vidcap reap``."""

from typing import Annotated

import typer
from rich.markup import escape

from vidcap_assets.cli.in_force import collection
from vidcap_assets.cli.job_run import instance
from vidcap_assets.cli.output import Json, console, print_result


def reap(
    lost_host: Annotated[
        list[str] | None,
        typer.Option(help="A machine that will not come back; can be given more than once."),
    ] = None,
    as_json: Json = False,
) -> None:
    """End runs whose processes are gone (a killed machine), so that they hold no GPU slot for ever."""
    from vidcap_assets.automation.reaper import reap as reap_runs

    collection()
    with instance() as history:
        reaped = reap_runs(history, lost_host or [])
    print_result(reaped)
    if not reaped:
        console.print(
            "[green]✓[/green] every run that is under way has a live process, or is on another machine"
        )
    for run in reaped:
        console.print(
            f"ended {run.run_id} ({escape(run.job)} {escape(run.shards)}): {escape(run.reason)}",
            soft_wrap=True,
        )
