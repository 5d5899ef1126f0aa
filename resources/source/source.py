"""The collection to caption: a folder, or a CSV or Parquet list, read into entries."""

import logging
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from resources.annotation.clip import Kind
from resources.source.lists import READERS, ListError, read_rows

VIDEO_EXTENSIONS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".gif"})
IMAGE_EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"})

_log = logging.getLogger(__name__)


class SourceError(Exception):
    """The source cannot be used as it is; the message says what to change, in one sentence."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the source; ``id`` and ``text`` (an existing caption) only where a list gives them."""

    path: Path
    kind: Kind
    id: str | None = None
    text: str | None = None


def kind_of(path: Path) -> Kind:
    """Image by extension, else video: the probe says later whether a file is what its name claims."""
    return Kind.IMAGE if path.suffix.lower() in IMAGE_EXTENSIONS else Kind.VIDEO


def read_source(uri: str | Path) -> list[Entry]:
    """All clips of a folder (recursively, sorted by path) or of a list (in its own order).

    A list needs a column ``path`` (relative ones are relative to the list's folder) and may have ``id``
    and ``text``. Hidden files and folders are not clips.

    Raises:
        SourceError: nothing there, nothing in it, or a list that contradicts itself.
    """
    path = Path(uri).expanduser().absolute()
    if path.is_dir():
        entries = [Entry(file, kind_of(file)) for file in sorted(_media_files(path))]
    elif path.suffix.lower() in READERS:
        entries = _read_list(path)
    else:
        raise SourceError(f"source {path}: neither a folder nor a {' or '.join(READERS)} list")
    if not entries:
        raise SourceError(f"source {path}: no videos or images in it")
    return entries


def _media_files(folder: Path) -> Iterator[Path]:
    seen: set[Path] = set()

    def skip(error: OSError) -> None:
        _log.warning("source %s: the folder %s is left out: %s", folder, error.filename, error.strerror)

    for where, folders, files in os.walk(folder, followlinks=True, onerror=skip):
        real = Path(where).resolve()
        if real in seen:  # a link to a folder above, or beside
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in VIDEO_EXTENSIONS | IMAGE_EXTENSIONS:
                yield Path(where, name)


def _read_list(path: Path) -> list[Entry]:
    try:
        rows, has_ids = read_rows(path)
    except ListError as error:
        raise SourceError(f"source {path}: {error}") from error
    entries = []
    for number, row in enumerate(rows, 1):
        if row.path is None:
            raise SourceError(f"source {path}: row {number} has no path")
        if row.id is None and has_ids:
            raise SourceError(
                f"source {path}: row {number} ({row.path}) has no id, though there is a column 'id'"
            )
        where = _located(row.path, path.parent)
        if where is None:
            raise SourceError(f"source {path}: row {number} has a path that cannot be one: {row.path!r}")
        entries.append(Entry(where, kind_of(where), row.id, row.text))
    doubled = [clip_id for clip_id, count in Counter(e.id for e in entries if e.id).items() if count > 1]
    if doubled:
        raise SourceError(f"source {path}: {len(doubled)} duplicate ids ({', '.join(doubled[:5])})")
    return entries


def _located(file: str, folder: Path) -> Path | None:
    """Where a listed file is; ``None`` for a NUL in its path, or the home of a user who does not exist."""
    if "\0" in file:
        return None
    try:
        return Path(os.path.normpath(folder / Path(file).expanduser()))
    except RuntimeError:
        return None
