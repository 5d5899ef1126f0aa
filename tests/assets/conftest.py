from collections.abc import Callable, Sequence
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from resources.lake.lake import Lake
from tests.annotation.echo import EchoAnnotator
from vidcap_assets.assets.partitions import SHARDS
from vidcap_assets.collection.blocks import DecodeResource, LakeResource, SourceResource, WarehouseResource
from vidcap_assets.definitions import ASSETS, RESOURCES


class EchoLlava:
    """Stands for the LLaVA resource: its captioner echoes ids and notes which it was asked for."""

    def __init__(self) -> None:
        self.prompt = ""
        self.asked: list[str] = []
        self.misbehave: Callable[[Sequence[str]], None] = lambda ids: None

    def captioner(self, frames, lake, run_id) -> EchoAnnotator:
        def note(ids: Sequence[str]) -> None:
            self.asked.extend(ids)
            self.misbehave(ids)

        return EchoAnnotator("captions_llava", batch_size=4, prompt=self.prompt, misbehave=note)


class Platform:
    """The product's assets over a small collection, run in this process."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "source"
        self.source.mkdir()
        self.home = folder / "home"
        self.lake = Lake(self.home)
        self.llava = EchoLlava()
        self.instance = dg.DagsterInstance.ephemeral()
        self.shard_size = 500

    def run(
        self, *assets: str, shard: str | None = None, config: dict | None = None
    ) -> dg.ExecuteInProcessResult:
        """Materialise assets for a shard, or for a range ``first..last``; never raises, see `success`."""
        tags = {}
        if shard is not None:
            first, _, last = shard.partition("..")
            tags = (
                {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
                if last
                else {"dagster/partition": first}
            )
        resources = RESOURCES | {
            "source": SourceResource(uri=str(self.source), shard_size=self.shard_size),
            "lake": LakeResource(root=str(self.home)),
            "warehouse": WarehouseResource(uri=str(self.home / "vidcap.duckdb"), lock_timeout_s=20),
            "decode": DecodeResource(workers=1),
            "llava": dg.ResourceDefinition.hardcoded_resource(self.llava),
        }
        definitions = dg.Definitions(
            assets=ASSETS,
            resources=resources,
            jobs=[dg.define_asset_job("chosen", selection=list(assets))],
            executor=dg.in_process_executor,
        )
        job = definitions.resolve_job_def("chosen")
        ops = {"ops": {name: {"config": values} for name, values in (config or {}).items()}}
        with pytest.MonkeyPatch.context() as patched:
            # Steps are tried again as in the product, but at once.
            patched.setattr(dg.RetryPolicy, "calculate_delay", lambda policy, attempt: 0)
            return job.execute_in_process(
                instance=self.instance, tags=tags, run_config=ops, raise_on_error=False
            )

    def partitions(self) -> list[str]:
        return list(self.instance.get_dynamic_partitions(SHARDS))

    def query(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.home / "vidcap.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def failure(result: dg.ExecuteInProcessResult) -> str:
    """What the run failed of, all causes in one text."""
    events = [
        event for event in result.all_events if event.is_failure and event.event_specific_data is not None
    ]
    return " | ".join(
        str(data.error.to_string() if hasattr(data.error, "to_string") else data.error)
        for event in events
        if (data := event.event_specific_data) and getattr(data, "error", None)
    )
