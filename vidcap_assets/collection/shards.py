"""The shards as Dagster partitions, which of them a run is for, and how a run is told."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import dagster as dg

from resources.errors import VidcapError
from vidcap_assets.dagster_private import DynamicPartitionsStore

if TYPE_CHECKING:
    from resources.lake.lake import Lake

# How Dagster is told the shards of a run: these tags are part of its contract.
PARTITION = "dagster/partition"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


class ShardPartitions(dg.DynamicPartitionsDefinition):
    """Dynamic partitions, registered on demand when a run names a range that the instance does not know.

    Dagster resolves a range while it plans the run, before any asset could register its shard. Where the
    instance does not know both ends (a temporary one, another machine's) the shards are therefore taken from
    the collection's lake at that moment.
    """

    home: str

    @property
    def set_name(self) -> str:
        """What the instance calls these partitions."""
        assert self.name is not None
        return self.name

    def get_partition_keys(
        self,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> Sequence[str]:
        """The registered shards by name: a range means the same whatever order they were registered in."""
        return sorted(super().get_partition_keys(current_time, dynamic_partitions_store))

    def get_partition_keys_in_range(self, partition_key_range: dg.PartitionKeyRange) -> Sequence[str]:
        """See the base class; where an end of the range is not known, the lake's shards are registered first."""
        with dg.partition_loading_context() as loading:
            instance = loading.dynamic_partitions_store
        if isinstance(instance, dg.DagsterInstance):
            ends = {partition_key_range.start, partition_key_range.end}
            if not ends <= set(instance.get_dynamic_partitions(self.set_name)):
                from resources.lake.lake import Lake

                self.register(instance, Lake(self.home).shards())
        return super().get_partition_keys_in_range(partition_key_range)

    def register(self, instance: dg.DagsterInstance, names: Sequence[str]) -> list[str]:
        """Make shards known to the instance as partitions; returns those that were not.

        ``names`` are all shards of a lake: so an instance knows them in the order of their names, in which
        Dagster's own processes count ranges, and none is missing between two that it knows.
        """
        known = set(instance.get_dynamic_partitions(self.set_name))
        new = [name for name in names if name not in known]
        if new:
            later = [name for name in names if name in known and name > new[0]]
            for name in later:
                instance.delete_dynamic_partition(self.set_name, name)
            instance.add_dynamic_partitions(self.set_name, sorted([*new, *later]))
        return new


def shard_partitions(name: str, home: str) -> ShardPartitions:
    """The partitions of the collection whose lake is in ``home``."""
    shards = ShardPartitions(name=name)
    shards.home = home
    return shards


def shards_of_run(context: dg.AssetExecutionContext, shards: ShardPartitions, lake: "Lake") -> list[str]:
    """The shards that this run is for, each proven to exist before it becomes a partition.

    A partition within a range that is no shard of the lake (typed by hand) is left out with a warning.

    Raises:
        VidcapError: the run names no shard, one that the lake does not have, or a range the wrong way round.
    """
    tags = context.run.tags
    names = [tags[tag] for tag in (PARTITION, RANGE_START, RANGE_END) if tag in tags]
    if not names:
        raise VidcapError(f'name the shard to run: --tags \'{{"{PARTITION}": "shard-00000"}}\'')
    for name in names:
        lake.require_shard(name)
    if len(names) == 1:
        if not context.instance.has_dynamic_partition(shards.set_name, names[0]):
            shards.register(context.instance, lake.shards())
        return names
    first, last = names
    if first > last:
        raise VidcapError(
            f"the range {first}..{last} is the wrong way round: name {last} as its start and {first} as its end"
        )
    there = {*lake.shards()}
    if unknown := [key for key in context.partition_keys if key not in there]:
        context.log.warning(f"left out, since the lake has no such shard: {', '.join(unknown)}")
    return [key for key in context.partition_keys if key in there]


def shard_tags(shards: Sequence[str]) -> dict[str, str]:
    """The run tags that select one shard, or a contiguous range from the first to the last of several."""
    if len(shards) == 1:
        return {PARTITION: shards[0]}
    return {RANGE_START: shards[0], RANGE_END: shards[-1]}


def contiguous(order: Sequence[str], wanted: Collection[str], at_most: int) -> list[list[str]]:
    """``wanted`` in runs of neighbours in ``order``, none longer than ``at_most``: what range tags can select."""
    ranges: list[list[str]] = []
    current: list[str] = []
    for shard in order:
        if current and (shard not in wanted or len(current) == at_most):
            ranges.append(current)
            current = []
        if shard in wanted:
            current.append(shard)
    return [*ranges, current] if current else ranges
