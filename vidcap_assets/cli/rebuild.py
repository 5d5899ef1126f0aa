"""``vidcap rebuild``."""

import time
from typing import Annotated

import typer
from rich.markup import escape

from vidcap_assets.cli.annotators import captions_named
from vidcap_assets.cli.in_force import collection
from vidcap_assets.cli.output import Json, console, fail, print_result, say
from vidcap_assets.cli.progress import counted, duration


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

    from resources.lake.lake import Lake
    from resources.warehouse import TextRule, Warehouse

    settings = collection()
    rule = TextRule(
        captions_named(settings, prefer) if prefer else settings.text_order,
        strip_prefix or settings.text.strip_prefix,
        camera_sentence or settings.text.camera_sentence,
    )
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
