"""The blocks of a collection file beside its annotators: where clips come from, where everything is kept.

Each is a resource of its own, so that a run can configure it, and opens the plain Python object behind it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from resources.annotation.block import Block
from resources.demo.source import CLIPS

if TYPE_CHECKING:
    from resources.lake.lake import Lake as LakeFiles
    from resources.source.source import Survey
    from resources.video import FrameReader, IsolatedWorkers
    from resources.warehouse import Warehouse as Database

DEMO_SOURCE = "demo"


class Source(Block):
    """The clips to caption."""

    uri: str = Field(
        default=DEMO_SOURCE,
        description="A folder, or a list (.csv, .tsv, .json, .jsonl, .parquet) with a column path (and id, text); "
        "demo is a small collection that comes with the package.",
    )
    columns: dict[str, str] = Field(
        default={}, description="The list's own names of path, id and text, such as {path: clip}."
    )
    shard_size: int = Field(default=500, gt=0, description="Clips in a new shard; shards never change.")

    def survey(self) -> "Survey":
        """What there is in the source.

        Raises:
            SourceError: the source cannot be used.
        """
        from resources.source.source import survey

        return survey(CLIPS if self.uri == DEMO_SOURCE else self.uri, self.columns)


class Lake(Block):
    """Where everything is kept."""

    root: str = Field(
        description="Folder (or s3://… URI) of lake, journal, warehouse, reports and exports.",
    )

    def open(self) -> "LakeFiles":
        """The lake below the root."""
        from resources.lake.lake import Lake as LakeFiles

        return LakeFiles(self.root)


class Warehouse(Block):
    """The DuckDB database with the merged tables."""

    uri: str = Field(description="Path of a DuckDB file.")
    lock_timeout_s: float = Field(
        default=600.0, description="Seconds to wait while another process has the database open."
    )

    def open(self, log: Callable[[str], None]) -> "Database":
        """The warehouse; what it waits for goes to ``log``."""
        from resources.warehouse import Warehouse as Database

        return Database(self.uri, lock_timeout_s=self.lock_timeout_s, log=log)


class Text(Block):
    """Which caption becomes the text of a clip, and so what is tagged."""

    order: list[str] = Field(
        default=[],
        description="Captioners, the preferred one first; then the text of the source list. "
        "Empty: all captioners, as in the file.",
    )
    strip_prefix: bool = Field(
        default=False, description='Take "The video shows" and the like off a caption that becomes the text.'
    )
    camera_sentence: bool = Field(
        default=False, description='Add "Camera motion: pan left." to a caption that becomes the text.'
    )


class Decode(Block):
    """The child processes in which files are opened."""

    workers: int = Field(
        default=0, ge=0, description="Decoding processes; 0 for one a CPU core that this process may use."
    )
    timeout_s: float = Field(default=120.0, gt=0, description="Seconds one clip may take to decode.")
    memory_limit_gib: float = Field(
        default=4.0, ge=0, description="Address space of a decoding process in GiB; 0 for no limit."
    )
    max_pixels: int = Field(default=64_000_000, gt=0, description="Pixels of a picture at most.")
    backend: Literal["auto", "pyav", "decord"] = Field(
        default="auto", description="auto (chosen from the stream), pyav or decord; recorded in every row."
    )

    @property
    def worker_count(self) -> int:
        """The number of decoding processes, resolved."""
        from resources.video import available_cores

        return self.workers or available_cores()

    @contextmanager
    def open(self) -> "Iterator[IsolatedWorkers]":
        """The pool of decoding processes; they end with the context."""
        from resources.video import IsolatedWorkers

        with IsolatedWorkers(
            self.worker_count,
            self.timeout_s,
            memory_limit_bytes=int(self.memory_limit_gib * 1024**3),
            max_pixels=self.max_pixels,
        ) as workers:
            yield workers

    @contextmanager
    def frames(self) -> "Iterator[tuple[FrameReader, IsolatedWorkers]]":
        """A frame reader on such a pool, and the pool."""
        from resources.video import FrameReader

        with self.open() as workers:
            yield FrameReader(workers, backend=self.backend), workers


def _mode(value: Any) -> Any:
    """In any case of letters; 0.1.0 had a second way to fill gaps, which it called ``declarative``."""
    word = value.strip().lower() if isinstance(value, str) else value
    return "schedules" if word == "declarative" else word


class Automation(Block):
    """What happens by itself. A choice made in the UI outlives the file's."""

    mode: Annotated[Literal["off", "schedules"], BeforeValidator(_mode)] = Field(
        default="off",
        description="off: nothing. schedules: new clips are captioned, gaps filled every night, the dataset "
        "published every week.",
    )
    on_failure: str | None = Field(
        default=None, description="A shell command that is given each failed run, as JSON on its input."
    )
    look_every_s: int = Field(default=60, ge=1, description="Seconds between two looks at the source.")
