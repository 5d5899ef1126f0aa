"""Table files of an export, written batch by batch so that memory does not grow with them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

TRAINING_SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), metadata={"description": "the video or image file"}),
        pa.field("text", pa.string(), metadata={"description": "the caption to train on"}),
        pa.field("num_frames", pa.int64(), metadata={"description": "frames in the file; 1 for an image"}),
        pa.field("fps", pa.float64(), metadata={"description": "average frames per second"}),
        pa.field("height", pa.int64(), metadata={"description": "pixels as displayed"}),
        pa.field("width", pa.int64(), metadata={"description": "pixels as displayed"}),
        pa.field("aspect_ratio", pa.float64(), metadata={"description": "height / width"}),
        pa.field("resolution", pa.int64(), metadata={"description": "height × width in pixels"}),
        pa.field("text_len", pa.int64(), metadata={"description": "words of the text"}),
    ]
)


def training_schema(connection: duckdb.DuckDBPyConnection, more: Sequence[str]) -> pa.Schema:
    """The columns of the training set: those that it always has, and ``more`` of ``listed_videos``."""
    there = connection.execute("SELECT * FROM listed_videos LIMIT 0").to_arrow_table().schema
    said = {"description": "by the annotator, or the column of the source list, of this name"}
    return pa.schema([*TRAINING_SCHEMA, *(there.field(name).with_metadata(said) for name in more)])


def samples(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The columns of ``schema`` and the clip's ``id``, as all forms of the training set are written from."""
    whole = schema.append(pa.field("id", pa.string()))
    return batch.select(whole.names).cast(whole)


class CsvFile:
    """One CSV file: a header with bare names, texts in quotes, NULL as nothing, lists and structs as JSON."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = pa.schema(
            [(field.name, pa.string() if pa.types.is_nested(field.type) else field.type) for field in schema]
        )
        self._file = open(path, "wb")  # noqa: SIM115 (closed by close)
        self._file.write((",".join(schema.names) + "\n").encode())
        self._writer = pyarrow.csv.CSVWriter(
            self._file, self._schema, write_options=pyarrow.csv.WriteOptions(include_header=False)
        )

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows; columns are taken by name."""
        plain = [
            pa.array([json.dumps(value, ensure_ascii=False) for value in column.to_pylist()], pa.string())
            if pa.types.is_nested(column.type)
            else column
            for column in batch.select(self._schema.names).itercolumns()
        ]
        self._writer.write_batch(pa.RecordBatch.from_arrays(plain, schema=self._schema))

    def close(self) -> None:
        """Flush and close."""
        self._writer.close()
        self._file.close()


class ParquetShards:
    """``data/train-00000-of-00003.parquet`` …: as many files as the rows need, at least one.

    Args:
        folder: where the files go.
        schema: column types; the metadata of its fields is kept.
        metadata: key-value pairs for the footer of every file.
        rows_per_file: rows of all files but the last.
    """

    def __init__(
        self, folder: Path, schema: pa.Schema, metadata: Mapping[str, str], rows_per_file: int
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._rows_per_file = folder, rows_per_file
        self._schema = schema.with_metadata(dict(metadata))
        self._parts: list[Path] = []
        self._open_next()

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows; columns are taken by name."""
        batch = batch.select(self._schema.names)
        while batch.num_rows:
            if not self._room:
                self._writer.close()
                self._open_next()
            piece = batch.slice(0, self._room)
            self._writer.write_batch(piece.cast(self._schema))
            self._room -= piece.num_rows
            batch = batch.slice(piece.num_rows)

    def close(self) -> None:
        """Close the last file and give all of them their final names."""
        self._writer.close()
        for number, part in enumerate(self._parts):
            part.rename(self._folder / f"train-{number:05d}-of-{len(self._parts):05d}.parquet")

    def _open_next(self) -> None:
        part = self._folder / f"part-{len(self._parts):05d}"
        self._writer = pq.ParquetWriter(part, self._schema, compression="zstd")
        self._parts.append(part)
        self._room = self._rows_per_file
