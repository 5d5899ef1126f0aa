"""The training set: one pass over the chosen rows, written in every form that is wanted."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from resources.annotation.declaration import Role
from resources.dataset.annotators import Listed, annotators, columns_of
from resources.dataset.card import TextOrigin, data_card
from resources.dataset.export_set import ExportFormat, ExportOptions
from resources.dataset.filters import ClipFilters, FilterError
from resources.dataset.near_duplicates import find_near_duplicates
from resources.dataset.publication import file_digests, publication, write_record
from resources.dataset.source_columns import with_source_columns
from resources.dataset.sql import named_queries, script
from resources.dataset.tables import CsvFile, ParquetShards, samples, training_schema
from resources.dataset.webdataset import TarShards
from resources.errors import VidcapError
from resources.warehouse import Warehouse

TRAINING_SET = "training_set"
_BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Export:
    """What was published: where, how many rows of how many clips, and the hash of the rows."""

    folder: UPath
    rows: int
    clips: int
    content_hash: str
    sources: list[TextOrigin]
    files: dict[str, str]
    preview: pa.Table
    schema: pa.Schema


class NothingToExportError(VidcapError):
    """No clip is readable, has a text and passes the filters."""


def export_training_set(
    warehouse: Warehouse,
    exports: UPath,
    options: ExportOptions | None = None,
    log: Callable[[str], None] = print,
    demo_models: Sequence[str] = (),
) -> Export:
    """Export the training rows below ``exports`` and publish them all at once as ``training_set``.

    The rows are those of one moment of the warehouse, in the order of their ids. The columns of scores and
    structured answers follow those that every training set has. ``demo_models``: annotators that used a demonstration
    model on clips that are not the demo's.

    Raises:
        WarehouseEmptyError: nothing has been merged yet.
        WarehouseBusyError: another process kept the database open.
        FilterError: a captioner or annotator that the collection does not have is named, or near-duplicates are to be
            left out and no clip has been measured.
        NothingToExportError: no row is left; what was published before stays.
        PublicationError: ``exports/training_set`` is something else.
        FileNotFoundError: ``media`` is wanted and a file is gone.
    """
    options = options or ExportOptions()
    with publication(exports, TRAINING_SET) as built:
        with warehouse.snapshot() as connection:
            listed = annotators(connection)
            options.require_known(listed)
            brought = with_source_columns(connection)
            videos = connection.table("listed_videos")
            parts = ["start_s", "end_s"] if len(videos.filter("start_s IS NOT NULL")) else []
            if parts and options.media:
                raise NothingToExportError(
                    "clips are parts of files, and only a tool's own set cuts them: vidcap export --for webdataset"
                )
            schema = training_schema(
                connection, [*columns_of(listed, Role.SCORE, Role.STRUCTURED), *brought, *parts]
            )
            clips = len(videos)
            recipes = _current_recipes(connection)
            rows, content_hash, counts, languages, preview = _write_rows(
                connection, built, options, recipes, schema, listed
            )
            if rows == 0:
                raise NothingToExportError(
                    f"none of the {clips} clips is readable, has a text and passes the filters "
                    f"{json.dumps(options.active)}; the last training set stays"
                )
            if ExportFormat.STEPS in options.formats:
                _write_steps(connection, built, listed)
        sources = _origins(counts, recipes, listed)
        record = {
            "content_hash": content_hash,
            "rows": rows,
            "clips": clips,
            "filters": options.active,
            "recipes": recipes,
            "text_sources": dict(counts),
            "languages": languages,
            "demo_models": list(demo_models),
        }
        media = options.media and ExportFormat.WEBDATASET in options.formats
        (built / "README.md").write_text(data_card(record, sources, schema, media=media))
        files = file_digests(built)
        write_record(built, {**record, "files": files})
    log(f"{rows} of {clips} clips in {exports / TRAINING_SET}, content {content_hash[:16]}")
    return Export(exports / TRAINING_SET, rows, clips, content_hash, sources, files, preview, schema)


def _write_rows(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    options: ExportOptions,
    recipes: list[dict[str, Any]],
    schema: pa.Schema,
    listed: list[Listed],
) -> tuple[int, str, Counter[str], dict[str, int], pa.Table]:
    metadata = {
        "vidcap.filters": json.dumps(options.active, sort_keys=True),
        "vidcap.recipes": json.dumps(recipes, sort_keys=True, ensure_ascii=False),
        "vidcap.order": "id, path",
    }
    digest, rows, counts, languages = hashlib.sha256(), 0, Counter[str](), Counter[str]()
    preview = schema.empty_table()
    with ExitStack() as stack:
        sinks: list[ParquetShards | CsvFile | TarShards] = [
            stack.enter_context(
                closing(ParquetShards(folder / "data", schema, metadata, options.rows_per_file))
            )
        ]
        if ExportFormat.CSV in options.formats:
            sinks.append(stack.enter_context(closing(CsvFile(folder / f"{TRAINING_SET}.csv", schema))))
        if ExportFormat.WEBDATASET in options.formats:
            tars = TarShards(folder / "webdataset", options.samples_per_tar, media=options.media)
            sinks.append(stack.enter_context(closing(tars)))
        for batch in training_rows(connection, options, schema.names, listed):
            rows_to_write = samples(batch, schema)
            for sink in sinks:
                sink.write(rows_to_write)
            digest.update("".join(batch["row_hash"].to_pylist()).encode())
            counts.update(batch["text_source"].to_pylist())
            languages.update(language or "not known" for language in batch["text_language"].to_pylist())
            if not rows:
                preview = pa.Table.from_batches([batch.slice(0, 5)]).select(schema.names)
            rows += batch.num_rows
    return rows, digest.hexdigest(), counts, dict(languages.most_common()), preview


def training_rows(
    connection: duckdb.DuckDBPyConnection, filters: ClipFilters, names: Sequence[str], listed: list[Listed]
) -> Iterator[pa.RecordBatch]:
    """The chosen rows by their ids: the named columns, ``id``, ``text_source``, ``text_language``, ``row_hash``.

    Raises:
        FilterError: ``where`` is no condition over the columns there are.
    """
    columns = ", ".join(f'"{name}"' for name in names)
    labels = "".join(f"string_split(\"{name}\", '+'), " for name in columns_of(listed, Role.LABEL))
    sql = script("training_rows.sql").replace("{columns}", columns).replace("{labels}", labels)
    sql = sql.replace("{where}", filters.where or "true")
    doubles = pa.table({"id": pa.array([], pa.string())})
    connection.register("doubles", doubles)
    try:
        if filters.drop_near_duplicates:
            among = f"CREATE TEMP TABLE passing AS SELECT id FROM ({sql.strip().removesuffix(';')})"
            connection.execute(among, filters.sql_parameters)
            alike = find_near_duplicates(connection, "passing")
            if alike is None:
                raise FilterError(
                    "no clip has been measured, which near-duplicates are told by: write "
                    "{kind: camera_motion, measures: true} into the collection file and run it"
                )
            doubles = alike.filter(pc.is_valid(alike["near_duplicate_of"])).select(["id"])
            connection.register("doubles", doubles)
        query = connection.execute(sql, filters.sql_parameters)
    except (duckdb.ParserException, duckdb.BinderException, duckdb.ConversionException) as error:
        if not filters.where:
            raise
        raise FilterError(f"where: {str(error).splitlines()[0]}") from error
    for batch in query.to_arrow_reader(_BATCH_ROWS):
        if batch.num_rows:
            yield batch


def _write_steps(connection: duckdb.DuckDBPyConnection, folder: Path, listed: list[Listed]) -> None:
    queries = named_queries("steps.sql")
    for role in (Role.LABEL, Role.TAGS):
        query = queries.pop(role)
        for one in listed:
            for column in one.columns if one.role is role else ():
                filled = query.replace("{status}", f'"{one.name}_status"')
                queries[f"meta_{column}"] = filled.replace("{column}", f'"{column}"')
    for name, query in queries.items():
        reader = connection.execute(query).to_arrow_reader(_BATCH_ROWS)
        with closing(CsvFile(folder / f"{name}.csv", reader.schema)) as file:
            for batch in reader:
                file.write(batch)


def _current_recipes(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    found = connection.execute(
        """
        SELECT annotator, fingerprint, any_value(CAST(recipe AS VARCHAR))
        FROM (SELECT DISTINCT annotator, fingerprint FROM annotations WHERE is_current)
        LEFT JOIN recipes USING (annotator, fingerprint)
        GROUP BY ALL ORDER BY ALL
        """
    ).fetchall()
    return [
        {"annotator": annotator, "fingerprint": fingerprint, "recipe": json.loads(recipe) if recipe else None}
        for annotator, fingerprint, recipe in found
    ]


def _origins(
    counts: Counter[str], recipes: list[dict[str, Any]], listed: Sequence[Listed]
) -> list[TextOrigin]:
    origins = []
    for name, clips in counts.most_common():
        # The field of a structured caption, entry.field, is the column entry_field of its annotator.
        by = next((one.name for one in listed if name.replace(".", "_") in one.columns), name)
        mine = [recipe for recipe in recipes if recipe["annotator"] == by]
        models = sorted({str((recipe["recipe"] or {}).get("model", "")) for recipe in mine})
        fingerprints = [recipe["fingerprint"] for recipe in mine]
        origins.append(TextOrigin(name, clips, ", ".join(models), ", ".join(fingerprints)))
    return origins
