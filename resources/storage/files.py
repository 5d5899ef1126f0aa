"""Durable files: a reader sees the old content or the new, never a part of it."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from upath import UPath

from resources.errors import ShardError

TEMP_PREFIX = ".tmp-"
_ROWS_A_GROUP = 1000  # what a writer holds uncompressed at a time

# Arrow's own allocators keep what they once held; with thousands of small files read in a row that adds up.
pa.set_memory_pool(pa.system_memory_pool())


def storage_path(uri: str | Path) -> UPath:
    """The path of a folder or file, local or on any store fsspec knows (``s3://…``); local ones absolute."""
    path = UPath(uri)
    return path.absolute() if is_local(path) else path


def is_local(path: UPath) -> bool:
    """Is this a path of the local file system, where rename, fsync and locks exist?"""
    return path.protocol in ("", "file", "local")


class DamagedFileError(ShardError):
    """What a file holds is not what was written."""


@contextmanager
def locked(folder: UPath, timeout_s: float, busy: type[Exception], sentence: str) -> Iterator[None]:
    """Hold the lock of a folder, which goes with the process, however it dies; object stores have no locks.

    Raises:
        busy: another process held it for ``timeout_s`` seconds; the message begins with ``sentence``.
    """
    if not is_local(folder):
        yield
        return
    lock = FileLock(Path(folder.path) / "lock")
    Path(folder.path).mkdir(parents=True, exist_ok=True)
    try:
        held = lock.acquire(timeout=timeout_s)
    except Timeout as error:
        raise busy(f"{sentence} (lock {lock.lock_file}); wait for it, or stop it") from error
    with held:
        yield


def write_atomic(path: UPath, content: bytes | memoryview) -> None:
    """Write a whole file durably: temp file, fsync, replace, fsync of the folder.

    Object stores make a put visible all at once, so there it is a plain put.
    """
    if not is_local(path):
        path.write_bytes(bytes(content))
        return
    folder = Path(path.path).parent
    folder.mkdir(parents=True, exist_ok=True)
    temp = folder / f"{TEMP_PREFIX}{Path(path.path).name}-{uuid.uuid4().hex}"
    try:
        with open(temp, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temp, path.path)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def append_durable(path: UPath, content: bytes) -> None:
    """Add to the end of a local file, durably; after an error the file is as it was.

    A kill on the way leaves any part of ``content`` there, or none.
    """
    file = os.open(path.path, os.O_WRONLY | os.O_APPEND)
    try:
        size = os.fstat(file).st_size
        try:
            while content:
                content = content[os.write(file, content) :]
            os.fsync(file)
        except BaseException:
            os.ftruncate(file, size)
            raise
    finally:
        os.close(file)


def write_table(path: UPath, table: pa.Table) -> None:
    """Write an Arrow table as one Parquet file, atomically."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=_ROWS_A_GROUP)
    write_atomic(path, memoryview(sink.getvalue()))


def read_table(path: UPath, columns: list[str] | None = None) -> pa.Table:
    """Read one Parquet file whole.

    Raises:
        DamagedFileError: it is no whole Parquet file.
    """
    try:
        if is_local(path):
            return pq.ParquetFile(path.path).read(columns=columns, use_threads=False)
        with path.open("rb") as file:
            return pq.ParquetFile(file).read(columns=columns, use_threads=False)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # it could not be read at all; pyarrow's own, of broken pages, have no number
        raise DamagedFileError(f"{path} is damaged ({error}); put a copy of it back") from error


def remove_stale_temps(folder: UPath, name: str = "") -> None:
    """Delete temp files that killed writers of ``name`` (of any file) left; call it only under their lock."""
    if is_local(folder) and folder.exists():
        for leftover in Path(folder.path).glob(f"{TEMP_PREFIX}{name}*"):
            leftover.unlink(missing_ok=True)
