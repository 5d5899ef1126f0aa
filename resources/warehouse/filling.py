"""Filling the tables from files of the lake; connection and transaction are the caller's."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files as package_files
from typing import Any

import duckdb
from upath import UPath

from resources.annotation.declaration import Declaration, Role
from resources.annotation.tables import merged_columns
from resources.lake.lake import Lake
from resources.warehouse.columns import add_columns, answers, listed, said
from resources.words.language import language_of

_META = """
CREATE OR REPLACE TEMP VIEW meta AS
SELECT * EXCLUDE (filename), parse_filename(filename, true) AS shard
FROM read_parquet(getvariable('meta_files'), filename = true, union_by_name = true, hive_partitioning = false)
"""
_FRESH = """
CREATE OR REPLACE TEMP VIEW fresh AS
SELECT * FROM read_parquet(getvariable('annotation_files'), hive_partitioning = false)
"""
_NOTHING_FRESH = """
CREATE OR REPLACE TEMP VIEW fresh AS SELECT * RENAME (is_current AS current) FROM annotations WHERE false
"""
_LANGUAGE = "STRUCT(text_language VARCHAR, text_language_confidence DOUBLE)"
MEMORY = "1GiB"
GROUP_BYTES = 32 * 1024**2


@dataclass(frozen=True)
class TextRule:
    """How the ``text`` of a clip is chosen and worded.

    Args:
        order: the captioners whose caption becomes the text, the preferred one first; then the source's own text.
        strip_prefix: take "The video shows" off a captioner's text.
        camera_sentence: add to it what the camera does.
    """

    order: Sequence[str]
    strip_prefix: bool = False
    camera_sentence: bool = False


@dataclass(frozen=True)
class ShardFiles:
    """The lake files of some shards, and how many shards they are."""

    shards: int
    meta: list[str]
    annotations: list[str]


def files_of(lake: Lake, shard: str, annotators: Iterable[str]) -> tuple[UPath, list[UPath]]:
    """The raw metadata of a shard, and the annotations that there are.

    Raises:
        NotMaterialisedError: the shard's raw metadata is not in the lake.
    """
    found = [file for name in annotators if (file := lake.file(name, shard)).exists()]
    return lake.meta_file(shard), found


def annotators_of(lake: Lake, declared: Sequence[Declaration]) -> list[str]:
    """The annotators that the collection declares, and those that once answered and are declared no more."""
    return list(dict.fromkeys([*(one.asset for one in declared), *(one.annotator for one in lake.recipes())]))


def shard_files(lake: Lake, shard: str, declared: Sequence[Declaration]) -> ShardFiles:
    """The files of one shard; raises what :func:`files_of` does."""
    meta, annotations = files_of(lake, shard, annotators_of(lake, declared))
    return ShardFiles(1, [str(meta)], [str(file) for file in annotations])


def grouped_files(lake: Lake, shards: Sequence[str], declared: Sequence[Declaration]) -> Iterator[ShardFiles]:
    """The files of many shards in groups of about ``GROUP_BYTES``, so that a statement needs little memory."""
    annotators = annotators_of(lake, declared)
    names: list[str] = []
    annotations: list[str] = []
    size = 0
    for place, shard in enumerate(shards):
        meta, found = files_of(lake, shard, annotators)
        names.append(str(meta))
        annotations += map(str, found)
        size += sum(file.stat().st_size for file in (meta, *found))
        if size >= GROUP_BYTES or place + 1 == len(shards):
            yield ShardFiles(len(names), names, annotations)
            names, annotations, size = [], [], 0


def prepare(connection: duckdb.DuckDBPyConnection, declared: Sequence[Declaration]) -> None:
    """Make tables and views, with the declared columns, and what a merge itself needs; outside of any transaction.

    DuckDB 1.5.6 loses what is inserted into a table that ``CREATE TABLE AS`` made without rows in the same
    transaction, once it is more than a row group (122,880 rows): no table is made where rows are inserted.

    Raises:
        ColumnTypeError: a declared column is there with another type.
    """
    connection.execute(f"SET memory_limit = '{MEMORY}'")
    connection.execute("SET preserve_insertion_order = false")
    run_script(connection, sql("schema.sql").replace("{columns}", listed(merged_columns(declared))), {})
    add_columns(connection, declared)
    _create_views(connection, declared)
    run_script(connection, sql("text_rule.sql"), {})
    found = connection.execute("FROM duckdb_functions() WHERE function_name = 'language_of'").fetchall()
    if not found:
        connection.create_function("language_of", _language, ["VARCHAR"], _LANGUAGE)


def _language(text: str) -> dict[str, str | float | None]:
    return dict(zip(("text_language", "text_language_confidence"), language_of(text), strict=True))


def delete_shard(connection: duckdb.DuckDBPyConnection, shard: str) -> None:
    """Take a shard's rows away."""
    run_script(connection, sql("delete_shard.sql"), {"shard": shard})


def insert_shards(
    connection: duckdb.DuckDBPyConnection, files: ShardFiles, rule: TextRule, declared: Sequence[Declaration]
) -> tuple[int, int]:
    """Add the rows of some shards, straight from their files; the numbers of annotations and of clips."""
    connection.execute("SET VARIABLE meta_files = $files", {"files": files.meta})
    connection.execute("SET VARIABLE annotation_files = $files", {"files": files.annotations})
    connection.execute(_META)
    connection.execute(_FRESH if files.annotations else _NOTHING_FRESH)
    parameters = {
        "order": list(rule.order),
        "strip": rule.strip_prefix,
        "camera": rule.camera_sentence,
        "declared": [name for one in declared for name in (one.asset, *one.parts)],
    }
    annotations, clips = run_script(
        connection,
        sql("insert_shards.sql")
        .replace("{answers}", answers(declared))
        .replace("{said}", said(declared, rule.order))
        .replace("{camera}", _camera(declared)),
        parameters,
    )
    return annotations, clips


def replace_left_out(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Bring the table up to what of the source is no clip."""
    connection.register("now_left_out", lake.left_out())
    connection.execute("CREATE OR REPLACE TABLE left_out AS FROM now_left_out")


def insert_recipes(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Add the recipes that are not there yet."""
    there = {row[0] for row in connection.execute("SELECT fingerprint FROM recipes").fetchall()}
    for recipe in lake.recipes():
        if recipe.fingerprint not in there:
            connection.execute(
                "INSERT INTO recipes (fingerprint, annotator, recipe, first_seen, versions) VALUES (?, ?, ?, ?, ?)",
                [
                    recipe.fingerprint,
                    recipe.annotator,
                    recipe.recipe,
                    recipe.first_seen.replace(tzinfo=None),
                    json.dumps(recipe.versions),
                ],
            )


def _create_views(connection: duckdb.DuckDBPyConnection, declared: Sequence[Declaration]) -> None:
    """Create the views, or replace them after an upgrade; an unchanged catalog is left alone."""
    captions = [column.name for one in declared if one.role is Role.CAPTION for column in one.columns]
    script = sql("views.sql").replace("{captions}", "".join(f'clip."{name}", ' for name in captions))
    version = f"views_{hashlib.sha256(script.encode()).hexdigest()[:8]}"
    there = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE starts_with(view_name, 'views_')"
    ).fetchall()
    if there == [(version,)]:
        return
    connection.execute("BEGIN")
    for (name,) in there:
        connection.execute(f'DROP VIEW "{name}"')
    run_script(connection, script, {})
    connection.execute(f"CREATE VIEW {version} AS SELECT 'the version of the views' AS note")
    connection.execute("COMMIT")


def _camera(declared: Sequence[Declaration]) -> str:
    labels = [column.name for one in declared if one.role is Role.LABEL for column in one.columns]
    return f'"{labels[0]}"' if labels else "NULL"


def sql(name: str) -> str:
    """The text of a ``.sql`` file of this package."""
    return package_files("resources.warehouse").joinpath(name).read_text()


def run_script(
    connection: duckdb.DuckDBPyConnection, script: str, parameters: Mapping[str, Any]
) -> list[int]:
    """Run a script statement by statement, each with those parameters that it names; the rows each changed."""
    changed = []
    for statement in duckdb.extract_statements(script):
        named = {name: parameters[name] for name in statement.named_parameters}
        result = connection.execute(statement, named or None)
        if statement.type in (duckdb.StatementType.INSERT, duckdb.StatementType.DELETE):
            row = result.fetchone()
            assert row is not None
            changed.append(row[0])
    return changed
