"""The collection to caption: a folder or a list, read into entries."""

import json
import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from resources.annotation.clip import Kind, Span
from resources.errors import VidcapError
from resources.source.kinds import SYSTEM_FOLDERS, kind_of, named_kind
from resources.source.lists import READERS, ListError, NoPathError, read_rows, text_of

FOLDER_LISTS = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""The list of a folder, as Hugging Face's folder layouts have it."""

_log = logging.getLogger(__name__)


class SourceError(VidcapError):
    """The source cannot be used as it is; the message says what to change, in one sentence."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the source; ``text`` is an existing caption, ``id`` only where a list gives it.

    ``kind`` is what the name promises, ``None`` where it tells nothing: the content decides. ``extra`` is a JSON
    object of what else the list says of it, and ``row``, its place there; ``span`` is the part of the file that is
    meant, where it is not all of it.
    """

    path: Path
    kind: Kind | None
    id: str | None = None
    text: str | None = None
    extra: str | None = None
    span: Span | None = None


@dataclass(frozen=True)
class Survey:
    """What there is in a source: the files that may be clips, and why each other file or folder is left out."""

    entries: list[Entry]
    left_out: dict[Path, str]


def read_source(uri: str | Path, columns: Mapping[str, str] | None = None) -> list[Entry]:
    """The entries of :func:`survey`, without those whose name tells nothing.

    Raises:
        SourceError: as there, or there are none.
    """
    entries = [entry for entry in survey(uri, columns).entries if entry.kind is not None]
    if not entries:
        raise SourceError(f"source {uri}: no videos or images in it")
    return entries


def survey(uri: str | Path, columns: Mapping[str, str] | None = None) -> Survey:
    """All clips of a folder (recursively, sorted by path) or of a list (in its own order), and what is left out.

    A list says where the files are (relative paths are relative to the list's folder) and may give ``id`` and
    ``text``; ``columns`` gives its own names for these. A folder with a list of its own (``metadata.csv``) is read
    by that; in any other a text or JSON file beside a clip, with its name, is its text. Hidden files and folders
    are not clips, nor is anything in the folders of NAS devices, bins and file systems.

    Raises:
        SourceError: nothing there, nothing in it, or a list that contradicts itself.
    """
    path = Path(uri).expanduser().absolute()
    left_out: dict[Path, str] = {}
    if path.is_dir():
        entries = _folder_list(path, columns or {})
        if entries is None:
            entries = [
                Entry(file, named_kind(file), text=text_beside(file, sidecar))
                for file, sidecar in sorted(_files(path, left_out))
            ]
    elif path.suffix.lower() in READERS:
        entries = _read_list(path, columns or {})
    else:
        raise SourceError(f"source {path}: neither a folder nor a list ({', '.join(READERS)})")
    if not entries:
        raise SourceError(f"source {path}: no videos or images in it")
    return Survey(entries, left_out)


def _folder_list(folder: Path, columns: Mapping[str, str]) -> list[Entry] | None:
    """The clips that the folder's own list names; ``None`` where it has none, or one of something else."""
    for name in FOLDER_LISTS:
        if (folder / name).is_file():
            try:
                return _read_list(folder / name, columns)
            except SourceError as error:
                if not isinstance(error.__cause__, NoPathError):
                    raise
                _log.warning("%s; all files of the folder are taken", error)
    return None


def text_beside(file: Path, suffix: str) -> str | None:
    """The text in the file of this suffix beside a clip; ``None`` without a suffix, or where it holds none.

    Raises:
        SourceError: there is no such file, or it cannot be read.
    """
    if not suffix:
        return None
    beside = file.with_suffix(suffix)
    try:
        content = beside.read_text("utf-8-sig")
        if suffix == ".txt":
            return content.strip() or None
        record = json.loads(content)
    except (OSError, ValueError) as error:
        raise SourceError(
            f"source {file.parent}: the text of {file.name} in {beside.name} cannot be read: {error}"
        ) from error
    return text_of(record) if isinstance(record, dict) else None


def _files(folder: Path, left_out: dict[Path, str]) -> Iterator[tuple[Path, str]]:
    """Each file that may be a clip, and the suffix of the file with its text beside it, or nothing."""
    seen: set[Path] = set()

    def skip(error: OSError) -> None:
        left_out[Path(error.filename)] = f"a folder that cannot be read: {error.strerror}"

    for where, folders, files in os.walk(folder, followlinks=True, onerror=skip):
        real = Path(where).resolve()
        if real in seen:
            left_out[Path(where)] = "a link to a folder that is looked through already"
            folders.clear()
            continue
        seen.add(real)
        left_out.update({Path(where, name): why for name in folders if (why := _why_not_entered(name))})
        folders[:] = sorted(name for name in folders if not _why_not_entered(name))
        there, rest = set(files), set(files)
        for name in files:
            path = Path(where, name)
            if name.startswith("."):
                left_out[path] = "a hidden file"
                rest.remove(name)
            elif named_kind(path) is not None:
                beside = next((end for end in (".txt", ".json") if path.stem + end in there), "")
                rest -= {name, path.stem + beside} if beside else {name}
                yield path, beside
        yield from ((Path(where, name), "") for name in rest)


def _why_not_entered(folder: str) -> str | None:
    if folder.startswith("."):
        return "a hidden folder"
    return "a folder of a NAS, a bin or a file system" if folder.lower() in SYSTEM_FOLDERS else None


def _read_list(path: Path, columns: Mapping[str, str]) -> list[Entry]:
    try:
        return list(_listed(path, columns))
    except ListError as error:
        raise SourceError(f"source {path}: {error}") from error


def _listed(path: Path, columns: Mapping[str, str]) -> Iterator[Entry]:
    rows, has_ids = read_rows(path, columns)
    ids = Counter[str]()
    texts: dict[tuple[Path, Span | None], str] = {}
    for number, row in enumerate(rows, 1):
        if row.path is None:
            raise ListError(f"row {number} has no path")
        if row.id is None and has_ids:
            raise ListError(f"row {number} ({row.path}) has no id, though there is a column 'id'")
        scheme, separator, rest = row.path.partition("://")
        if separator and scheme != "file" and scheme.isalnum():
            raise ListError(
                f"row {number} is an address ({row.path}), and only files of this machine can be read: download them "
                "and list their paths"
            )
        where = _located(unquote(rest) if separator and scheme == "file" else row.path, path.parent)
        if where is None:
            raise ListError(f"row {number} has a path that cannot be one: {row.path!r}")
        for part, span in enumerate(row.spans or [None]):
            if row.text is not None and not has_ids and texts.setdefault((where, span), row.text) != row.text:
                raise ListError(
                    f"row {number} gives {where.name} another text than a row above: keep one row a clip, or give "
                    "each row an id of its own"
                )
            clip_id = f"{row.id}_scene-{part}" if row.id and len(row.spans) > 1 else row.id
            ids.update([clip_id] if clip_id else [])
            yield Entry(where, kind_of(where), clip_id, row.text, row.extra, span)
    if doubled := [clip_id for clip_id, count in ids.items() if count > 1]:
        raise ListError(f"{len(doubled)} duplicate ids ({', '.join(doubled[:5])})")


def _located(file: str, folder: Path) -> Path | None:
    """Where a listed file is; ``None`` for a NUL in its path, or the home of a user who does not exist."""
    if "\0" in file:
        return None
    try:
        return Path(os.path.normpath(folder / Path(file).expanduser()))
    except RuntimeError:
        return None
