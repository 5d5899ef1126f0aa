"""Everything that vidcap takes from Dagster's private modules: why, and what breaks when it moves.

Checked against the release :data:`CHECKED`; nothing else of the product imports from ``dagster._core`` or ``_cli``.

* ``DynamicPartitionsStore``: the type of an argument that ``ShardPartitions`` overrides. Moved: an import error.
* ``IN_PROGRESS_RUN_STATUSES``: which runs are queued or running. Moved: an import error.
* ``UnresolvedAssetJobDefinition``: what ``define_asset_job`` returns. Moved: only the type check notices.
* ``BulkActionsFilter``, ``BulkActionStatus``: how an instance is asked for the backfills that go on. Moved: new clips
  and the nightly run can ask for a shard that a backfill has yet to start.
* ``SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION``: keeps Dagster from logging the partitions of a result that the step
  has logged itself, each with its own data version. Moved: an import error; no effect: shards are logged twice and
  show as *Unsynced*.
* ``MODULES_OF_A_STEP``: what every step imports, for the process that they are forked from. Moved: steps start later.
* ``get_possibly_temporary_instance_for_cli``: the instance that ``dagster job execute`` would use here. Moved:
  ``vidcap reap`` fails.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION
from dagster._core.instance import DynamicPartitionsStore
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
else:
    UnresolvedAssetJobDefinition = Any

CHECKED = "1.13.27"

MODULES_OF_A_STEP = ["dagster._cli", "dagster._core.storage.event_log", "dagster._core.storage.runs"]

LOGGED_ALREADY = {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}

__all__ = [
    "CHECKED",
    "IN_PROGRESS_RUN_STATUSES",
    "LOGGED_ALREADY",
    "MODULES_OF_A_STEP",
    "DynamicPartitionsStore",
    "UnresolvedAssetJobDefinition",
    "instance_of_this_folder",
    "waiting_in_backfills",
]


def waiting_in_backfills(instance: dg.DagsterInstance) -> Iterator[str]:
    """The partitions that a backfill has yet to start: it starts its runs a few at a time."""
    from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus

    for backfill in instance.get_backfills(BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])):
        if backfill.asset_backfill_data is not None:
            to_do = backfill.asset_backfill_data.get_targeted_partitions_without_materialization_status()
            for subset in to_do.partitions_subsets_by_asset_key.values():
                yield from subset.get_partition_keys()
        else:
            names = list(backfill.partition_names or [])
            last = backfill.last_submitted_partition_name
            yield from names[names.index(last) + 1 :] if last in names else names


def instance_of_this_folder(command: str) -> AbstractContextManager[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME, else that of the ``dagster.yaml`` here, else a temporary one."""
    from dagster._cli.utils import get_possibly_temporary_instance_for_cli

    return get_possibly_temporary_instance_for_cli(command)
