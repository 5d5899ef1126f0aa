"""One DuckDB database that many short transactions share: open, merge a shard, close."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_fixed

from resources.annotation.declaration import Declaration
from resources.errors import VidcapError
from resources.lake.lake import META, Lake, NotMaterialisedError
from resources.storage.files import TEMP_PREFIX, is_local
from resources.storage.queue import queued
from resources.warehouse.filling import (
    MEMORY,
    TextRule,
    delete_shard,
    grouped_files,
    insert_recipes,
    insert_shards,
    prepare,
    replace_left_out,
    shard_files,
    sql,
)

if TYPE_CHECKING:
    import pandas as pd

_LOOK_EVERY_S = 0.05
_TELL_EVERY = 200  # looks
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Merge:
    """What the tables hold after a merge.

    Of the shard: the rows in ``captioned_videos`` and the different ``ids`` among them, the rows in ``annotations`` and
    those that its files in the lake have, and a hash of the merged rows. ``clips_total`` counts all shards.
    """

    clips: int
    ids: int
    annotations: int
    in_lake: int
    clips_total: int
    version: str


class RowsLostError(VidcapError):
    """The database does not hold what was put in; the old tables are kept."""


class WarehouseEmptyError(VidcapError):
    """There is nothing to read yet."""


class WarehouseBusyError(VidcapError):
    """Another process has the database open and did not let go in time."""

    retryable = True


class _NotNextError(Exception):
    """Others wait for the database too, and were here before."""


def is_taken(error: BaseException) -> bool:
    """Does another process hold the database file, or come first?"""
    conflict = isinstance(error, duckdb.IOException) and "Could not set lock on file" in str(error)
    return conflict or isinstance(error, _NotNextError)


def is_damage(error: duckdb.Error) -> bool:
    """Is the content of the database file to blame, and not the way to it?"""
    return not isinstance(error, duckdb.IOException) or any(
        sign in str(error) for sign in ("not a valid DuckDB database", "Corrupt database")
    )


class Warehouse:
    """The tables `captioned_videos`, `annotations`, `annotators`, `left_out` and `recipes`.

    Args:
        uri: path of a DuckDB file on this machine.
        lock_timeout_s: seconds to wait while another process has the file open; a DuckDB file has either
            one writer or any number of readers.
        log: told once in a while what is being waited for.

    Raises:
        ValueError: the URI is no path of this machine.
    """

    def __init__(
        self, uri: str, *, lock_timeout_s: float = 600.0, log: Callable[[str], None] = print
    ) -> None:
        if "://" in uri or uri.startswith("ducklake:"):
            raise ValueError(
                f"the warehouse cannot be {uri}: expected the path of a DuckDB file on this machine; set "
                "VIDCAP_WAREHOUSE (or `warehouse` in the collection file) to one"
            )
        self.uri = uri
        self._lock_timeout_s = lock_timeout_s
        self._log = log

    @contextmanager
    def connect(self, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection, closed at the end so that other processes get their turn.

        Raises:
            WarehouseBusyError: another process still held the file after ``lock_timeout_s`` seconds.
        """
        connection = self._open(read_only)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection in one transaction, bounded in memory: what is larger goes through disk.

        Raises:
            WarehouseEmptyError: no shard has been merged yet.
            WarehouseBusyError: see :meth:`connect`.
        """
        nothing = f"nothing has been merged into {self.uri} yet: run caption_videos on a shard first"
        if not Path(self.uri).exists():
            raise WarehouseEmptyError(nothing)
        with self.connect(read_only=True) as connection:
            connection.execute(f"SET memory_limit = '{MEMORY}'")
            connection.execute("BEGIN")
            if not connection.execute(
                "FROM duckdb_tables() WHERE table_name = 'captioned_videos'"
            ).fetchall():
                raise WarehouseEmptyError(nothing)
            yield connection

    def frame(self, name: str) -> "pd.DataFrame":
        """A whole table or view as it is now: ``Warehouse("data/vidcap.duckdb").frame("captioned_videos")``.

        Raises:
            WarehouseEmptyError: no shard has been merged yet.
            WarehouseBusyError: see :meth:`connect`.
            duckdb.CatalogException: there is no such table.
        """
        with self.snapshot() as connection:
            return connection.table(name).df()

    def merge(self, lake: Lake, shard: str, declared: Sequence[Declaration], rule: TextRule) -> Merge:
        """Replace a shard's rows by what the lake holds, in one transaction.

        The cost depends on the shard, not on the tables.

        Raises:
            NotMaterialisedError: the shard's raw metadata is not in the lake.
            ColumnTypeError: a declared column is there with another type; `vidcap rebuild` makes it anew.
            WarehouseBusyError: see :meth:`connect`.
            duckdb.ConversionException: an answer is not of the type that its annotator declares.
        """
        files = shard_files(lake, shard, declared)
        with self.connect() as connection:
            prepare(connection, declared)
            connection.execute("BEGIN")
            delete_shard(connection, shard)
            insert_shards(connection, files, rule, declared)
            insert_recipes(connection, lake)
            replace_left_out(connection, lake)
            row = connection.execute(sql("merged.sql"), {"shard": shard}).fetchone()
            connection.execute("COMMIT")
        assert row is not None
        return Merge(*row)

    def rebuild(
        self,
        lake: Lake,
        declared: Sequence[Declaration],
        rule: TextRule,
        progress: Progress = lambda done, shards: None,
    ) -> int:
        """Make the tables anew from all that the lake has; returns the number of clips.

        The same tables as merging every shard gives, many shards at a time and without gaps. A DuckDB file
        is built beside the old one and takes its place at the end; other writers wait meanwhile. A file that
        DuckDB cannot read is set aside as ``<file>.damaged``. ``progress`` is told the shards done and all shards.

        Raises:
            NotMaterialisedError: the lake is empty; the tables are left alone.
            WarehouseBusyError: see :meth:`connect`.
            RowsLostError: not all rows arrived; the old tables are as they were.
        """
        if not lake.stored_shards(META):
            raise NotMaterialisedError(
                f"nothing to rebuild from in {lake.root}; start with: vidcap run SOURCE"
            )
        with self._held():
            fresh = Path(f"{self.uri}.rebuilding")
            _remove_database(fresh)
            try:
                with duckdb.connect(str(fresh)) as rebuilt:
                    prepare(rebuilt, declared)
                    if is_local(lake.root):
                        # Several threads leave row groups half full, and the checkpoint writes all of them again.
                        rebuilt.execute("SET threads = 1")
                    rebuilt.execute("BEGIN")
                    clips = _fill(rebuilt, lake, rule, declared, progress)
                    rebuilt.execute("COMMIT")
                    rebuilt.execute("CHECKPOINT")
                # The old file is still locked by this process, so nobody can be writing to it.
                os.replace(fresh, self.uri)
            finally:
                _remove_database(fresh)
        return clips

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Lock the DuckDB file, whatever is in it, and leave no WAL beside it.

        A killed writer leaves one. The next to open the name would apply it to the file that stands there then.
        """
        try:
            connection = self._open(read_only=False)
            connection.execute("CHECKPOINT")
        except duckdb.Error as error:
            if not is_damage(error):
                raise
            file = Path(self.uri)
            self._log(f"{file} is damaged, it is kept as {file.name}.damaged: {error}")
            for suffix in ("", ".wal"):
                if Path(f"{file}{suffix}").exists():
                    os.replace(f"{file}{suffix}", f"{file}.damaged{suffix}")
            connection = self._open(read_only=False)
        with connection:
            yield

    def _open(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        """Open the file when it is this process's turn: one that has just closed it goes to the end of the queue."""
        file = Path(self.uri).absolute()
        file.parent.mkdir(parents=True, exist_ok=True)
        if not read_only and not file.exists():
            # Whole or not at all: what a full disk or a kill leaves of it, DuckDB never opens again.
            with TemporaryDirectory(prefix=TEMP_PREFIX, dir=file.parent) as begun:
                duckdb.connect(f"{begun}/whole").close()
                with suppress(OSError):  # another process was first, or this file system has no links
                    os.link(f"{begun}/whole", file)
        retrying = Retrying(
            retry=retry_if_exception(is_taken),
            stop=stop_after_delay(self._lock_timeout_s),
            wait=wait_fixed(_LOOK_EVERY_S),
            before_sleep=self._tell,
            retry_error_callback=self._give_up,
        )
        with queued(file.with_name(f".{file.name}.queue")) as is_next:

            def attempt() -> duckdb.DuckDBPyConnection:
                if not is_next():
                    raise _NotNextError("others wait for it too, and were here before")
                return duckdb.connect(self.uri, read_only=read_only)

            return retrying(attempt)

    def _tell(self, state: RetryCallState) -> None:
        if state.attempt_number % _TELL_EVERY == 1:
            self._log(f"waiting for the warehouse, another process has it open: {_reason(state)}")

    def _give_up(self, state: RetryCallState) -> None:
        raise WarehouseBusyError(
            f"the warehouse was open elsewhere for {self._lock_timeout_s:.0f} s: {_reason(state)}; "
            "close that process, nothing is lost: the shard is merged when it is run again"
        )


def _reason(state: RetryCallState) -> str:
    error = state.outcome.exception() if state.outcome else None
    return str(error).partition(" See also")[0].removeprefix("IO Error: ")


def _remove_database(file: Path) -> None:
    for leftover in (file, Path(f"{file}.wal")):
        leftover.unlink(missing_ok=True)
    shutil.rmtree(f"{file}.tmp", ignore_errors=True)


def _fill(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    rule: TextRule,
    declared: Sequence[Declaration],
    progress: Progress,
) -> int:
    """Insert all shards of the lake and count what arrived; the number of clips."""
    shards = lake.stored_shards(META)
    done = annotations = clips = 0
    progress(done, len(shards))
    for files in grouped_files(lake, shards, declared):
        more_annotations, more_clips = insert_shards(connection, files, rule, declared)
        annotations, clips, done = annotations + more_annotations, clips + more_clips, done + files.shards
        progress(done, len(shards))
    insert_recipes(connection, lake)
    replace_left_out(connection, lake)
    found = connection.execute(
        "SELECT (SELECT count(*) FROM annotations), (SELECT count(*) FROM captioned_videos)"
    ).fetchone()
    if found != (annotations, clips):
        raise RowsLostError(
            f"of {annotations} annotations and {clips} clips the database holds {found}; nothing was replaced"
        )
    return clips
