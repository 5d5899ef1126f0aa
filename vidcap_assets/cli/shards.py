"""``vidcap shards``."""

from typing import Annotated

import typer

from resources.lake.lake import Lake
from vidcap_assets.cli.in_force import collection
from vidcap_assets.cli.job_run import instance
from vidcap_assets.cli.output import Json, console, print_result, say

shards = typer.Typer(help="What becomes of whole shards.", no_args_is_help=True)


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
    console.print(f"{name} is retired; to have it back, delete {marker}", markup=False, soft_wrap=True)
