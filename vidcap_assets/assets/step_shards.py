"""The shards of one step: each logged the moment it is finished, the others named together at the end."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dagster as dg
import pyarrow as pa

from resources.lake.lake import Lake, NotMaterialisedError, UnknownShardError
from vidcap_assets.assets.partitions import shards_of_run
from vidcap_assets.collection.settings import CollectionSettings


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
        self.keys = shards_of_run(context, collection.shards, lake)
        self._context = context
        self._asset = asset
        self._key = collection.key(asset)
        self._metadata: dict[str, dict[str, dg.MetadataValue]] = {}
        self._versions: dict[str, str] = {}
        self._unfinished: dict[str, str] = {}
        self._may_come_right = False
        lineage = context.assets_def.metadata_by_key[self._key].get("dagster/column_lineage")
        # The UI draws the lineage of columns from what was materialised last.
        self._always = {"dagster/column_lineage": lineage} if lineage is not None else {}

    def to_do(self) -> Iterator[str]:
        """The shards of the run, without those that an earlier attempt of this step finished and logged."""
        for shard in self.keys:
            if self._context.retry_number == 0 or not self._adopt(shard):
                yield shard

    @contextmanager
    def attempt(self, shard: str) -> Iterator[None]:
        """Let what is wrong with this shard's own files leave only this shard unfinished."""
        try:
            yield
        except (NotMaterialisedError, UnknownShardError) as error:
            self.leave(shard, str(error), may_come_right=False)
        except pa.ArrowInvalid as error:
            self._context.log.exception(f"{shard}: a file of it cannot be read")
            self.leave(shard, f"a file of it cannot be read: {error}", may_come_right=False)

    def leave(self, shard: str, reason: str, *, may_come_right: bool = True) -> None:
        """Note why a shard is not finished; ``may_come_right``: the step is worth another attempt."""
        self._unfinished[shard] = reason
        self._may_come_right |= may_come_right

    def finish(self, shard: str, metadata: Mapping[str, dg.MetadataValue], version: str) -> None:
        """Note a shard as finished, in the history too where others follow; ``version``: hash of its content."""
        self._metadata[shard] = {**metadata, **self._always}
        self._versions[shard] = version
        if len(self.keys) > 1:
            self._log(shard)

    def results(self) -> Iterator[dg.MaterializeResult]:
        """The result of the step.

        A result carries one data version for all its partitions. After a range, each shard's own is therefore
        logged once more, behind it, so that an unchanged shard keeps what depends on it fresh.

        Raises:
            dg.Failure: shards are unfinished; the message names each with its reason.
        """
        if self._unfinished:
            reasons = "; ".join(f"{shard}: {reason}" for shard, reason in self._unfinished.items())
            raise dg.Failure(
                f"{self._asset}: {len(self._unfinished)} of {len(self.keys)} shards are unfinished: {reasons}",
                allow_retries=self._may_come_right,
            )
        for shard, values in self._metadata.items():
            self._context.add_asset_metadata(values, asset_key=self._key, partition_key=shard)
        versions = list(self._versions.values())
        together = versions[0] if len(versions) == 1 else digest(sorted(self._versions.items()))
        yield dg.MaterializeResult(asset_key=self._key, data_version=dg.DataVersion(together))
        if len(versions) > 1:
            for shard in self._metadata:
                self._log(shard)

    def _adopt(self, shard: str) -> bool:
        """Take over what this run has logged of a shard already, if it has."""
        last = self._context.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=self._key, asset_partitions=[shard]), limit=1
        ).records
        logged = last[0].asset_materialization if last and last[0].run_id == self._context.run_id else None
        if logged is None or logged.tags is None:
            return False
        self._metadata[shard] = dict(logged.metadata)
        self._versions[shard] = logged.tags["dagster/data_version"]
        return True

    def _log(self, shard: str) -> None:
        self._context.log_event(
            dg.AssetMaterialization(
                self._key,
                partition=shard,
                metadata=self._metadata[shard],
                tags={"dagster/data_version": self._versions[shard]},
            )
        )


def rows_version(table: pa.Table, columns: list[str]) -> str:
    """A data version: the hash of those columns, in the order of the rows."""
    return digest(table.select(columns).to_pydict())


def digest(content: object) -> str:
    """A short hash of anything that JSON can say."""
    return hashlib.sha256(json.dumps(content, default=str, ensure_ascii=False).encode()).hexdigest()[:16]
