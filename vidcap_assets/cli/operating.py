"""Commands for who keeps an installation running."""

import time
from datetime import timedelta
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vidcap_assets.cli.bars import duration
from vidcap_assets.cli.choosing import captions_named
from vidcap_assets.cli.in_force import collection
from vidcap_assets.cli.job_run import instance
from vidcap_assets.cli.output import Json, console, fail, is_live, print_json, say


def rebuild(
    prefer: Annotated[
        list[str] | None,
        typer.Option(
            help="Captioner whose caption becomes the text, the best first; can be given more than once.",
            show_default="the order of the collection file",
        ),
    ] = None,
    strip_prefix: Annotated[
        bool, typer.Option("--strip-prefix", help='Take "The video shows" off a text.')
    ] = False,
    camera_sentence: Annotated[
        bool, typer.Option("--camera-sentence", help="Add what the camera does to a text.")
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait while another process has the database open.")
    ] = 600,
    as_json: Json = False,
) -> None:
    """Make the merged tables anew from the lake: after damage, a loss, or to change which caption becomes the text.

    Everything in the tables comes from the lake, so nothing is lost. Readers see the old tables until the
    new ones are whole. A database file that cannot be read is kept beside the new one.
    """
    import duckdb

    from resources.lake.lake import Lake, NotMaterialisedError
    from resources.warehouse import RowsLostError, Warehouse, WarehouseBusyError

    settings = collection()
    order = captions_named(settings, prefer) if prefer else settings.text_order
    warehouse = Warehouse(settings.warehouse_block.uri, lock_timeout_s=wait, log=say)
    started = time.monotonic()
    bar = Progress(
        TextColumn("merging"), BarColumn(), MofNCompleteColumn(), TextColumn("shards"), TimeRemainingColumn(),
        console=console, transient=True, disable=as_json or not is_live(console),
    )  # fmt: skip
    try:
        with bar:
            task = bar.add_task("", total=None)
            clips = warehouse.rebuild(
                Lake(settings.home),
                settings.declared,
                order,
                strip_prefix=strip_prefix or settings.text.strip_prefix,
                camera_sentence=camera_sentence or settings.text.camera_sentence,
                progress=lambda done, shards: bar.update(task, completed=done, total=shards),
            )
    except NotMaterialisedError as error:
        fail(f"{error}; start with: vidcap run SOURCE", as_json)
    except (WarehouseBusyError, RowsLostError, duckdb.Error, OSError) as error:
        fail(str(error), as_json)
    seconds = time.monotonic() - started
    if as_json:
        print_json({"clips": clips, "warehouse": warehouse.uri, "seconds": round(seconds, 1)})
    else:
        console.print(
            f"[green]✓[/green] {clips} clips in [bold]{escape(warehouse.uri)}[/bold], {duration(seconds)}",
            soft_wrap=True,
        )


def reap(
    older_than: Annotated[
        float, typer.Option(min=0, help="Leave runs alone that began less than so many minutes ago.")
    ] = 0,
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
        reaped = reap_runs(history, timedelta(minutes=older_than), lost_host or [])
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
