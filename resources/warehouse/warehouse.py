"""One DuckDB database that many short transactions share: open, merge a shard, close."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from resources.annotation.store import ANNOTATION_SCHEMA
from resources.lake import META, Lake
from resources.meta import META_SCHEMA

ANNOTATORS = (
    "captions_pllava",
    "captions_llava",
    "captions_gpt4v",
    "camera_motion",
    "tags_objects",
    "tags_actions",
)
_DUCKLAKE = "ducklake:"
_REBUILT_AT_A_TIME = 50
_MEMORY = "1GiB"


@dataclass(frozen=True)
class Merge:
    """What a merge put into the tables; ``version`` is a hash of the shard's merged rows."""

    clips: int
    annotations: int
    version: str


class WarehouseBusyError(Exception):
    """Another process has the database open and did not let go in time."""


def is_lock_conflict(error: BaseException) -> bool:
    """Does another process hold the database file?"""
    return isinstance(error, duckdb.IOException) and "Could not set lock on file" in str(error)


class Warehouse:
    """The tables `captioned_videos`, `annotations` and `recipes`.

    Args:
        uri: path of a DuckDB file, or a ``ducklake:`` URI (needs DuckDB's ducklake extension).
        lock_timeout_s: seconds to wait while another process has the file open; a DuckDB file has either
            one writer or any number of readers.
        log: told once in a while what is being waited for.
    """

    def __init__(
        self, uri: str, *, lock_timeout_s: float = 600.0, log: Callable[[str], None] = print
    ) -> None:
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
        files = _ShardFiles(lake, [shard])
        parameters = {"order": list(caption_order), "strip": strip_prefix, "camera": camera_sentence}
        with self.connect() as connection:
            _prepare(connection)
            connection.execute("BEGIN")
            _run(connection, _sql("delete_shard.sql"), {"shard": shard})
            _insert(connection, files, parameters)
            _insert_recipes(connection, lake)
            row = connection.execute(_sql("merged.sql"), {"shard": shard}).fetchone()
            connection.execute("COMMIT")
        assert row is not None
        return Merge(*row)

    def rebuild(
        self,
        lake: Lake,
        caption_order: Sequence[str],
        *,
        strip_prefix: bool = False,
        camera_sentence: bool = False,
    ) -> int:
        """Make the tables anew from all that the lake has; returns the number of clips.

        The same tables as merging every shard gives, many shards at a time and without gaps. A DuckDB file
        is built beside the old one and takes its place at the end; other writers wait meanwhile. Elsewhere
        it is one transaction.

        Raises:
            WarehouseBusyError: see :meth:`connect`.
        """
        parameters = {"order": list(caption_order), "strip": strip_prefix, "camera": camera_sentence}
        with self.connect() as connection:
            if self.uri.startswith((_DUCKLAKE, "md:")):
                _prepare(connection)
                connection.execute("BEGIN")
                for table in ("annotations", "captioned_videos", "recipes"):
                    connection.execute(f"DELETE FROM {table}")
                _fill(connection, lake, parameters, transactions=False)
                clips = _count(connection)
                connection.execute("COMMIT")
                return clips
            fresh = Path(f"{self.uri}.rebuilding")
            for leftover in (fresh, Path(f"{fresh}.wal")):
                leftover.unlink(missing_ok=True)
            shutil.rmtree(f"{fresh}.tmp", ignore_errors=True)
            with duckdb.connect(str(fresh)) as rebuilt:
                _prepare(rebuilt)
                _fill(rebuilt, lake, parameters, transactions=True)
                clips = _count(rebuilt)
            # The old file is still locked by this process, so nobody can be writing to it.
            os.replace(fresh, self.uri)
        return clips

    def _open(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        if not self.uri.startswith((_DUCKLAKE, "md:")):
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


class _ShardFiles:
    """The lake files of some shards.

    Raises:
        NotMaterialisedError: a shard's raw metadata is not in the lake.
    """

    def __init__(self, lake: Lake, shards: Sequence[str]) -> None:
        self.meta = [str(lake.meta_file(shard)) for shard in shards]
        self.annotations = [
            str(file) for shard in shards for name in ANNOTATORS if (file := lake.file(name, shard)).exists()
        ]


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Tables, views and what a merge needs of its own; outside of any transaction.

    DuckDB 1.5.6 loses what is inserted into a table that ``CREATE TABLE AS`` made without rows in the same
    transaction, once it is more than a row group (122,880 rows). Hence the shapes are made here.
    """
    connection.execute(f"SET memory_limit = '{_MEMORY}'")
    _run(connection, _sql("schema.sql"), {})
    _create_views(connection)
    _run(connection, _sql("text_rule.sql"), {})
    _make_shapes(connection)


def _make_shapes(connection: duckdb.DuckDBPyConnection) -> None:
    """Empty tables for the rows that a merge reads; made anew, because deleted rows keep their memory."""
    for name, schema in (
        ("meta", META_SCHEMA.append(pa.field("shard", pa.string()))),
        ("fresh", ANNOTATION_SCHEMA),
    ):
        connection.register("shape", schema.empty_table())
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM shape")
        connection.unregister("shape")


def _fill(
    connection: duckdb.DuckDBPyConnection, lake: Lake, parameters: Mapping[str, Any], *, transactions: bool
) -> None:
    shards = lake.stored_shards(META)
    for start in range(0, len(shards), _REBUILT_AT_A_TIME):
        if transactions:
            _make_shapes(connection)
            connection.execute("BEGIN")
        _insert(connection, _ShardFiles(lake, shards[start : start + _REBUILT_AT_A_TIME]), parameters)
        if transactions:
            connection.execute("COMMIT")
    _insert_recipes(connection, lake)


def _insert(connection: duckdb.DuckDBPyConnection, files: _ShardFiles, parameters: Mapping[str, Any]) -> None:
    _run(
        connection,
        """
        DELETE FROM meta;
        INSERT INTO meta BY NAME
        SELECT * EXCLUDE (filename), parse_filename(filename, true) AS shard
        FROM read_parquet($meta, filename = true, hive_partitioning = false);
        DELETE FROM fresh;
        """,
        {"meta": files.meta},
    )
    if files.annotations:
        connection.execute(
            "INSERT INTO fresh BY NAME SELECT * FROM read_parquet($files, hive_partitioning = false)",
            {"files": files.annotations},
        )
    _run(connection, _sql("insert_shards.sql"), parameters)


def _insert_recipes(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    there = {row[0] for row in connection.execute("SELECT fingerprint FROM recipes").fetchall()}
    new = [recipe for recipe in lake.recipes() if recipe.fingerprint not in there]
    for recipe in new:
        connection.execute(
            "INSERT INTO recipes VALUES (?, ?, ?, ?)",
            [recipe.fingerprint, recipe.annotator, recipe.recipe, recipe.first_seen.replace(tzinfo=None)],
        )


def _count(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("SELECT count(*) FROM captioned_videos").fetchone()
    assert row is not None
    return row[0]


def _create_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the views, or replace them after an upgrade; an unchanged catalog is left alone."""
    script = _sql("views.sql")
    version = f"views_{hashlib.sha256(script.encode()).hexdigest()[:8]}"
    there = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE starts_with(view_name, 'views_')"
    ).fetchall()
    if there == [(version,)]:
        return
    connection.execute("BEGIN")
    for (name,) in there:
        connection.execute(f'DROP VIEW "{name}"')
    _run(connection, script, {})
    connection.execute(f"CREATE VIEW {version} AS SELECT 'the version of the views' AS note")
    connection.execute("COMMIT")


def _sql(name: str) -> str:
    return package_files("resources.warehouse").joinpath(name).read_text()


def _run(connection: duckdb.DuckDBPyConnection, script: str, parameters: Mapping[str, Any]) -> None:
    """Run a script statement by statement, each with those parameters that it names."""
    for statement in duckdb.extract_statements(script):
        named = {name: parameters[name] for name in statement.named_parameters}
        connection.execute(statement, named or None)
