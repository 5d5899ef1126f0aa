"""``vidcap rebuild``, ``vidcap reap`` and ``vidcap shards``: what keeps a home in order."""

import time
from typing import Annotated

import typer
from rich.markup import escape

from resources.lake.lake import Lake
from vidcap_assets.cli.in_force import collection
from vidcap_assets.cli.job_run import instance
from vidcap_assets.cli.output import Json, console, fail, print_result, say, tell
from vidcap_assets.cli.progress import counted, duration

shards = typer.Typer(help="What becomes of whole shards.", no_args_is_help=True)


def rebuild(
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait while another process has the database open.")
    ] = 600,
    as_json: Json = False,
) -> None:
    """Make the merged tables anew from the lake: after damage, a loss, or a change of `text` in the collection file.

    Everything in the tables comes from the lake, so nothing is lost. Readers see the old tables until the
    new ones are whole. A database file that cannot be read is kept beside the new one.
    """
    import duckdb

    from resources.warehouse import TextRule, Warehouse

    settings = collection()
    rule = TextRule(settings.text_order, settings.text.strip_prefix, settings.text.camera_sentence)
    warehouse = Warehouse(settings.warehouse_block.uri, lock_timeout_s=wait, log=say)
    started = time.monotonic()
    try:
        with counted("merging", "shards") as progress:
            clips = warehouse.rebuild(Lake(settings.home), settings.declared, rule, progress)
    except (duckdb.Error, OSError) as error:
        fail(str(error))
    seconds = time.monotonic() - started
    print_result({"clips": clips, "warehouse": warehouse.uri, "seconds": round(seconds, 1)})
    tell(f"[green]✓[/green] {clips} clips in [bold]{escape(warehouse.uri)}[/bold], {duration(seconds)}")


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
        tell(f"ended {run.run_id} ({escape(run.job)} {escape(run.shards)}): {escape(run.reason)}")


@shards.command()
def retire(name: Annotated[str, typer.Argument(help="Such as shard-00003.")], as_json: Json = False) -> None:
    """Take a shard out of runs, partitions and tables. Its files stay in the lake, its clips are not indexed anew."""
    from resources.warehouse.filling import delete_shard, prepare

    settings = collection()
    lake = Lake(settings.home)
    lake.require_shard(name)
    with settings.warehouse_block.open(say).connect() as connection:
        prepare(connection, settings.declared)
        delete_shard(connection, name)
    with instance() as history:
        history.delete_dynamic_partition(settings.shards.set_name, name)
    marker = lake.retire(name)
    print_result({"retired": name, "marker": marker})
    tell(f"{name} is retired; to have it back, delete {marker}", markup=False)
