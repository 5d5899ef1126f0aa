"""What a run can configure: each resource's fields, and how it builds the plain Python object behind them.

Nothing is loaded here: models load on the first batch, child processes start with the first clip.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from resources.video import available_cores
from vidcap_assets.automation.registered_executor import note_step_process
from vidcap_assets.collection import environment

if TYPE_CHECKING:
    from resources.lake.lake import Lake
    from resources.source.source import Entry
    from resources.video import FrameReader, IsolatedWorkers
    from resources.warehouse import Warehouse


class SourceResource(dg.ConfigurableResource):
    """The collection to caption."""

    uri: str = Field(
        default_factory=environment.source,
        description="A folder, or a .csv or .parquet list with a column path (optional: id, text); "
        "demo renders a small collection of its own.",
    )
    shard_size: int = Field(
        default_factory=environment.shard_size, gt=0, description="Clips in a new shard; shards never change."
    )

    def entries(self, lake: "Lake") -> "list[Entry]":
        """All clips of the source; the demo collection is rendered first, below the lake's root if that is local."""
        from resources.source.source import read_source

        if self.uri != environment.DEMO_SOURCE:
            return read_source(self.uri)
        from resources.demo.clips import render_demo_source
        from resources.engine.fingerprint import default_cache

        return read_source(render_demo_source(lake.local("demo") or default_cache() / "demo"))


class LakeResource(dg.ConfigurableResource):
    """Where everything is kept."""

    root: str = Field(
        default_factory=environment.home,
        description="Folder (or s3://… URI) of lake, journal, warehouse, reports and exports.",
    )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Every step opens the lake: here its process is noted in the run's log, for the reaper."""
        note_step_process(context)

    def open(self) -> "Lake":
        """The lake below the root."""
        from resources.lake.lake import Lake

        return Lake(self.root)


class WarehouseResource(dg.ConfigurableResource):
    """The DuckDB database with the merged tables."""

    uri: str = Field(
        default_factory=environment.warehouse, description="Path of a DuckDB file, or a ducklake: URI."
    )
    lock_timeout_s: float = Field(
        default=600.0, description="Seconds to wait while another process has the database open."
    )

    def open(self, context: dg.AssetExecutionContext) -> "Warehouse":
        """The warehouse; what it waits for goes to the run's log."""
        from resources.warehouse import Warehouse

        return Warehouse(self.uri, lock_timeout_s=self.lock_timeout_s, log=context.log.warning)


class TextResource(dg.ConfigurableResource):
    """Which caption becomes the text of a clip, and so what is tagged."""

    order: list[str] = Field(
        default=["captions_gpt4v", "captions_pllava", "captions_llava"],
        description="Captioners, the preferred one first; after them comes the text of the source list.",
    )
    strip_prefix: bool = Field(
        default=False, description='Take "The video shows" and the like off a caption that becomes the text.'
    )
    camera_sentence: bool = Field(
        default=False, description='Add "Camera motion: pan left." to a caption that becomes the text.'
    )


class DecodeResource(dg.ConfigurableResource):
    """The child processes in which files are opened."""

    workers: int = Field(
        default=0, ge=0, description="Decoding processes; 0 for one a CPU core that this process may use."
    )
    timeout_s: float = Field(default=120.0, gt=0, description="Seconds one clip may take to decode.")
    memory_limit_gib: float = Field(
        default=4.0, ge=0, description="Address space of a decoding process in GiB; 0 for no limit."
    )
    backend: str = Field(
        default="auto", description="auto (chosen from the stream), pyav or decord; recorded in every row."
    )

    @property
    def worker_count(self) -> int:
        """The number of decoding processes, resolved."""
        return self.workers or available_cores()

    @contextmanager
    def open(self) -> "Iterator[IsolatedWorkers]":
        """The pool of decoding processes; they end with the context."""
        from resources.video import IsolatedWorkers

        with IsolatedWorkers(
            self.worker_count, self.timeout_s, memory_limit_bytes=int(self.memory_limit_gib * 1024**3)
        ) as workers:
            yield workers

    @contextmanager
    def frames(self) -> "Iterator[tuple[FrameReader, IsolatedWorkers]]":
        """A frame reader on such a pool, and the pool."""
        from resources.video import FrameReader

        with self.open() as workers:
            yield FrameReader(workers, backend=self.backend), workers
