from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from resources.annotation.declaration import AnnotatorSettings
from resources.camera_motion.kind import CameraMotion
from resources.lake.lake import Lake
from tests.echo import Echo
from vidcap_assets.collection.settings import CollectionSettings
from vidcap_assets.component import Collection

SHARDS = "shards"


class Noting(Echo):
    """An echo in this process that notes which clips it was asked for, and can be told to misbehave."""

    def note(ids: Any) -> None:  # called through the class
        Noting.asked.extend(ids)
        Noting.trouble(ids)

    misbehave = note


class Platform:
    """The product's assets over a small collection, run in this process."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "source"
        self.source.mkdir()
        self.home = folder / "home"
        self.lake = Lake(self.home)
        self.prompt = ""
        self.paid: list[AnnotatorSettings] = []
        self.instance = dg.DagsterInstance.ephemeral()
        self.shard_size = 500
        self.llava = self
        self.asked: list[str] = []
        self.misbehave: Any = lambda ids: None

    @property
    def collection(self) -> CollectionSettings:
        return CollectionSettings(
            home=str(self.home),
            source={"uri": str(self.source), "shard_size": self.shard_size},
            warehouse={"uri": str(self.home / "vidcap.duckdb"), "lock_timeout_s": 20},
            decode={"workers": 1},
            annotators=[Noting(prompt=self.prompt, folder=None), CameraMotion(), *self.paid],
        )

    def run(
        self,
        *assets: str,
        shard: str | None = None,
        config: dict | None = None,
        resources: dict | None = None,
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
        definitions = dg.Definitions.merge(
            Collection(self.collection).build_defs(),
            dg.Definitions(
                jobs=[dg.define_asset_job("chosen", selection=list(assets))], executor=dg.in_process_executor
            ),
        )
        job = definitions.resolve_job_def("chosen")
        ops = {"ops": {name: {"config": values} for name, values in (config or {}).items()}}
        ops["resources"] = resources or {}
        with pytest.MonkeyPatch.context() as patched:
            # Steps are tried again as in the product, but at once.
            patched.setattr(dg.RetryPolicy, "calculate_delay", lambda policy, attempt: 0)
            patched.setattr(Noting, "asked", self.asked, raising=False)
            patched.setattr(Noting, "trouble", staticmethod(lambda ids: self.misbehave(ids)), raising=False)
            return job.execute_in_process(
                instance=self.instance, tags=tags, run_config=ops, raise_on_error=False
            )

    def partitions(self) -> list[str]:
        return list(self.instance.get_dynamic_partitions(SHARDS))

    def query(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.home / "vidcap.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
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
