"""The collection to caption: a folder, or a CSV or Parquet list, read into entries."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from resources.annotation.clip import Kind

VIDEO_EXTENSIONS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".gif"})
IMAGE_EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"})
LIST_EXTENSIONS = frozenset({".csv", ".parquet"})


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
    elif path.suffix.lower() in LIST_EXTENSIONS:
        entries = _read_list(path)
    else:
        raise SourceError(f"source {path}: neither a folder nor a .csv or .parquet list")
    if not entries:
        raise SourceError(f"source {path}: no videos or images in it")
    return entries


def _media_files(folder: Path) -> Iterator[Path]:
    seen: set[Path] = set()
    for where, folders, files in os.walk(folder, followlinks=True):
        real = Path(where).resolve()
        if real in seen:  # a link back to a folder above
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in VIDEO_EXTENSIONS | IMAGE_EXTENSIONS:
                yield Path(where, name)


def _read_list(path: Path) -> list[Entry]:
    import pandas as pd

    if not path.is_file():
        raise SourceError(f"source {path}: there is no such list")
    try:
        if path.suffix.lower() == ".csv":
            # Everything is text: pandas must not turn an id 007 into 7 or a caption "None" into a missing value.
            frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        else:
            frame = pd.read_parquet(path)
    except Exception as error:
        raise SourceError(f"source {path}: cannot be read as {path.suffix[1:]}: {error}") from error
    if "path" not in frame.columns:
        raise SourceError(
            f"source {path}: has no column 'path' (its columns: {', '.join(map(str, frame.columns))})"
        )

    def column(name: str) -> list[str | None]:
        if name not in frame.columns:
            return [None] * len(frame)
        return [None if pd.isna(value) or str(value) == "" else str(value) for value in frame[name]]

    entries = []
    for row, (file, clip_id, text) in enumerate(
        zip(column("path"), column("id"), column("text"), strict=True), 1
    ):
        if file is None:
            raise SourceError(f"source {path}: row {row} has no path")
        if clip_id is None and "id" in frame.columns:
            raise SourceError(f"source {path}: row {row} ({file}) has no id, though there is a column 'id'")
        where = Path(os.path.normpath(path.parent / Path(file).expanduser()))
        entries.append(Entry(where, kind_of(where), clip_id, text))
    doubled = [clip_id for clip_id, count in Counter(e.id for e in entries if e.id).items() if count > 1]
    if doubled:
        raise SourceError(
            f"source {path}: {len(doubled)} ids stand more than once ({', '.join(doubled[:5])})"
        )
    return entries
