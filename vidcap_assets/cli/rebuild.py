"""``vidcap rebuild``."""

import time
from typing import Annotated

import typer
from rich.markup import escape

from vidcap_assets.cli.in_force import collection
from vidcap_assets.cli.output import Json, console, fail, print_result, say
from vidcap_assets.cli.progress import counted, duration


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

    from resources.lake.lake import Lake
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
    console.print(
        f"[green]✓[/green] {clips} clips in [bold]{escape(warehouse.uri)}[/bold], {duration(seconds)}",
        soft_wrap=True,
    )
