"""The shards of one step: each logged once, the moment it is finished, the others named together at the end."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dagster as dg
import pyarrow as pa

from resources.errors import ShardError
from resources.lake.lake import Lake
from vidcap_assets.assets.policies import failed, told
from vidcap_assets.collection.settings import CollectionSettings
from vidcap_assets.collection.shards import shards_of_run
from vidcap_assets.dagster_private import LOGGED_ALREADY


class StepShards:
    """What became of each shard of a step, for one of its assets.

    One that cannot be finished does not stop the others: they go on, are green in the end, and exactly the
    bad ones are red. When the step is tried again, only those are left to do.

    Args:
        asset: the asset, by name.
        keys: the shards of the run.
    """

    def __init__(
        self, context: dg.AssetExecutionContext, collection: CollectionSettings, asset: str, lake: Lake
    ) -> None:
        with told(context):
            self.keys = shards_of_run(context, collection.shards, lake)
        self._context = context
        self._asset = asset
        self._key = collection.key(asset)
        self._provenance: dict[str, dict[str, str]] = {}
        self._unfinished: dict[str, str] = {}
        self._may_come_right = False
        lineage = context.assets_def.metadata_by_key[self._key].get("dagster/column_lineage")
        # The UI draws the lineage of columns from what was materialised last.
        self._always = {"dagster/column_lineage": lineage} if lineage is not None else {}

    def to_do(self) -> Iterator[str]:
        """The shards of the run, without those that an earlier attempt of this step finished and logged."""
        for shard in self.keys:
            if self._context.retry_number == 0 or not self._is_logged(shard):
                self._provenance[shard] = self._inputs(shard)
                yield shard

    @contextmanager
    def attempt(self, shard: str) -> Iterator[None]:
        """Let what is wrong with this shard alone leave only this shard unfinished."""
        try:
            yield
        except ShardError as error:
            self.leave(shard, str(error), may_come_right=error.retryable)

    def leave(self, shard: str, reason: str, *, may_come_right: bool = True) -> None:
        """Note why a shard is not finished; ``may_come_right``: the step is worth another attempt."""
        self._unfinished[shard] = reason
        self._may_come_right |= may_come_right

    def finish(
        self, shard: str, metadata: Mapping[str, dg.MetadataValue], version: str, recipe: str | None = None
    ) -> None:
        """Log a shard as finished; ``version``: hash of its content, by which what depends on it stays fresh.

        ``recipe``: the version of what it was made by; without one, each run is one of its own.
        """
        self._context.log_event(
            dg.AssetMaterialization(
                self._key,
                partition=shard,
                metadata={**metadata, **self._always},
                tags={
                    **self._provenance[shard],
                    "dagster/code_version": recipe or self._context.run_id,
                    "dagster/data_version": version,
                    "dagster/data_version_is_user_provided": "true",
                },
            )
        )

    def results(self) -> Iterator[dg.MaterializeResult]:
        """The result of the step.

        Dagster would log every partition of it once more, all with one data version: it is told not to.

        Raises:
            dg.Failure: shards are unfinished; the message names each with its reason.
        """
        if self._unfinished:
            reasons = "; ".join(f"{shard}: {reason}" for shard, reason in self._unfinished.items())
            raise failed(
                self._context,
                f"{self._asset}: {len(self._unfinished)} of {len(self.keys)} shards are unfinished: {reasons}",
                may_come_right=self._may_come_right,
            )
        yield dg.MaterializeResult(asset_key=self._key, metadata=LOGGED_ALREADY)

    def _is_logged(self, shard: str) -> bool:
        last = self._last(self._key, shard)
        return last is not None and last.run_id == self._context.run_id

    def _inputs(self, shard: str) -> dict[str, str]:
        """What the shard is about to be made from, as Dagster notes it for a run over one partition."""
        tags = {}
        for key in self._context.assets_def.asset_deps[self._key]:
            last = self._last(key, shard) or self._last(key)
            made = last.asset_materialization if last is not None else None
            version = (made.tags or {}).get("dagster/data_version") if made is not None else None
            tags[f"dagster/input_data_version/{key.to_user_string()}"] = version or "INITIAL"
            pointer = "NULL" if last is None else str(last.storage_id)
            tags[f"dagster/input_event_pointer/{key.to_user_string()}"] = pointer
        return tags

    def _last(self, key: dg.AssetKey, shard: str | None = None) -> dg.EventLogRecord | None:
        chosen = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[shard] if shard else None)
        return next(iter(self._context.instance.fetch_materializations(chosen, limit=1).records), None)


def rows_version(table: pa.Table, columns: list[str]) -> str:
    """A data version: the hash of those columns, in the order of the rows."""
    return digest(table.select(columns).to_pydict())


def digest(content: object) -> str:
    """A short hash of anything that JSON can say."""
    return hashlib.sha256(json.dumps(content, default=str, ensure_ascii=False).encode()).hexdigest()[:16]
