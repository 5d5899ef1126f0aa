"""One DuckDB database that many short transactions share: open, merge a shard, close."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from resources.annotation.declaration import Declaration
from resources.lake.lake import META, Lake, NotMaterialisedError
from resources.storage.files import is_local
from resources.warehouse.filling import (
    TextRule,
    delete_shard,
    grouped_files,
    insert_recipes,
    insert_shards,
    prepare,
    shard_files,
    sql,
)

_DUCKLAKE = "ducklake:"
_REMOTE = (_DUCKLAKE, "md:")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Merge:
    """What a merge put into the tables; ``version`` is a hash of the shard's merged rows."""

    clips: int
    annotations: int
    version: str


class RowsLostError(Exception):
    """The database does not hold what was put in; the old tables are kept."""


class WarehouseBusyError(Exception):
    """Another process has the database open and did not let go in time."""


def is_lock_conflict(error: BaseException) -> bool:
    """Does another process hold the database file?"""
    return isinstance(error, duckdb.IOException) and "Could not set lock on file" in str(error)


def is_damage(error: duckdb.Error) -> bool:
    """Is the content of the database file to blame, and not the way to it?"""
    return not isinstance(error, duckdb.IOException) or any(
        sign in str(error) for sign in ("not a valid DuckDB database", "Corrupt database")
    )


class Warehouse:
    """The tables `captioned_videos`, `annotations` and `recipes`.

    Args:
        uri: path of a DuckDB file, or a ``ducklake:`` URI (needs DuckDB's ducklake extension).
        lock_timeout_s: seconds to wait while another process has the file open; a DuckDB file has either
            one writer or any number of readers.
        log: told once in a while what is being waited for.

    Raises:
        ValueError: the URI is on an object store, which cannot hold a DuckDB file.
    """

    def __init__(
        self, uri: str, *, lock_timeout_s: float = 600.0, log: Callable[[str], None] = print
    ) -> None:
        if "://" in uri and not uri.startswith(_REMOTE):
            raise ValueError(
                f"a DuckDB file cannot be kept at {uri}: set VIDCAP_WAREHOUSE (or the uri of the resource "
                "warehouse) to a path on this machine or to a ducklake: URI"
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

    def merge(
        self,
        lake: Lake,
        shard: str,
        declared: Sequence[Declaration],
        caption_order: Sequence[str],
        *,
        strip_prefix: bool = False,
        camera_sentence: bool = False,
    ) -> Merge:
        """Replace a shard's rows by what the lake holds, in one transaction.

        The cost depends on the shard, not on the tables. ``caption_order`` names the captioners whose
        caption becomes ``text``, the preferred one first; after them comes the source's own text. A
        captioner's text loses its "The video shows" and gains a sentence on the camera where wanted.

        Raises:
            NotMaterialisedError: the shard's raw metadata is not in the lake.
            WarehouseBusyError: see :meth:`connect`.
        """
        files = shard_files(lake, shard, declared)
        rule = TextRule(caption_order, strip_prefix, camera_sentence)
        with self.connect() as connection:
            prepare(connection, declared)
            connection.execute("BEGIN")
            delete_shard(connection, shard)
            insert_shards(connection, files, rule, declared)
            insert_recipes(connection, lake)
            row = connection.execute(sql("merged.sql"), {"shard": shard}).fetchone()
            connection.execute("COMMIT")
        assert row is not None
        return Merge(*row)

    def rebuild(
        self,
        lake: Lake,
        declared: Sequence[Declaration],
        caption_order: Sequence[str],
        *,
        strip_prefix: bool = False,
        camera_sentence: bool = False,
        progress: Progress = lambda done, shards: None,
    ) -> int:
        """Make the tables anew from all that the lake has; returns the number of clips.

        The same tables as merging every shard gives, many shards at a time and without gaps. A DuckDB file
        is built beside the old one and takes its place at the end; other writers wait meanwhile. A file that
        DuckDB cannot read is set aside as ``<file>.damaged``. Elsewhere it is one transaction. ``progress``
        hears the shards done and all shards.

        Raises:
            NotMaterialisedError: the lake is empty; the tables are left alone.
            WarehouseBusyError: see :meth:`connect`.
            RowsLostError: not all rows arrived; the old tables are as they were.
        """
        if not lake.stored_shards(META):
            raise NotMaterialisedError(
                f"there is no raw_meta of any shard in {lake.root}: nothing to rebuild from"
            )
        rule = TextRule(caption_order, strip_prefix, camera_sentence)
        if self.uri.startswith(_REMOTE):
            with self.connect() as connection:
                prepare(connection, declared)
                connection.execute("BEGIN")
                for table in ("annotations", "captioned_videos", "recipes"):
                    connection.execute(f"DELETE FROM {table}")
                clips = _fill(connection, lake, rule, declared, progress)
                connection.execute("COMMIT")
            return clips
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
        if not self.uri.startswith(_REMOTE):
            Path(self.uri).absolute().parent.mkdir(parents=True, exist_ok=True)
        retrying = Retrying(
            retry=retry_if_exception(is_lock_conflict),
            stop=stop_after_delay(self._lock_timeout_s),
            wait=wait_random_exponential(multiplier=0.05, max=2.0),
            before_sleep=self._tell,
            retry_error_callback=self._give_up,
        )
        return retrying(self._connect, read_only)

    def _connect(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        if not self.uri.startswith(_DUCKLAKE):
            return duckdb.connect(self.uri, read_only=read_only)
        connection = duckdb.connect()
        connection.execute("LOAD ducklake")
        options = " (READ_ONLY)" if read_only else ""
        connection.execute(
            f"ATTACH '{self.uri.replace(chr(39), chr(39) * 2)}' AS vidcap{options}; USE vidcap"
        )
        return connection

    def _tell(self, state: RetryCallState) -> None:
        if state.attempt_number in (1, 5) or state.attempt_number % 20 == 0:
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
    found = connection.execute(
        "SELECT (SELECT count(*) FROM annotations), (SELECT count(*) FROM captioned_videos)"
    ).fetchone()
    if found != (annotations, clips):
        raise RowsLostError(
            f"of {annotations} annotations and {clips} clips the database holds {found}; nothing was replaced"
        )
    return clips
