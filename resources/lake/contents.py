"""What the files of a source hold, read in children and noted, so that an index that was stopped goes on."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resources.annotation.clip import Kind
from resources.annotation.journal import whole_lines
from resources.annotation.outcome import ClipError, ErrorKind
from resources.annotation.progress import Progress, ShardProgress

if TYPE_CHECKING:
    from resources.video import IsolatedWorkers

FILES_PER_CALL = 128
SLOWEST_BYTES_PER_S = 4 * 1024**2
"""A file that is read more slowly than this on the whole is given up like one that cannot be read."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file held when it had this size, in bytes, and these times of its content and of its name.

    ``content_id`` is the BLAKE2b-128 of its bytes. ``ctime_ns`` is unknown of what 0.1.0 read.
    """

    file_size: int
    mtime_ns: int
    ctime_ns: int | None
    content_id: str
    kind: Kind


Version = tuple[str, int, int]
"""Path, as tables have it, size and time of a file."""


def path_text(path: Path) -> str:
    """The path as tables hold it: a byte of a name that is not UTF-8 is shown as ``\\xNN``.

    Nothing is found by such a text, so the clip is a ``missing_file`` until somebody renames the file; it then
    keeps its id as any moved clip does.
    """
    return os.fsencode(path).decode(errors="backslashreplace")


def read_content(path: Path, named: Kind | None, size: int) -> Content:
    """Read a file, of which the name promises to be a ``named``, to its end. Meant for a child process.

    Raises:
        ClipError: ``missing_file``, or ``decode_error`` for what is neither video nor image and not named so.
    """
    from resources.video.kind import kind_by_content

    try:
        status = path.stat()
        kind = kind_by_content(path, named)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise ClipError(ErrorKind.MISSING_FILE, f"the file cannot be read: {error.strerror}") from None
    return Content(status.st_size, status.st_mtime_ns, status.st_ctime_ns, digest, kind)


def read_contents(
    named: Mapping[Path, Kind | None],
    known: Mapping[Version, Content],
    workers: "IsolatedWorkers",
    notes: Path | None,
    log: Callable[[str], None],
    tell: Callable[[ShardProgress], None],
) -> dict[Path, Content | ClipError]:
    """What each file holds, or why it cannot be said; what is as it was ``known``, or noted, is not read again.

    Args:
        named: the files, each with what its name promises.
        notes: the file to which what is read is added; the caller deletes it when the index is written.
    """
    from resources.video.isolated import isolated
    from resources.video.streams import require_regular_file

    known = {**known, **dict(_noted(notes))}
    contents: dict[Path, Content | ClipError] = {}
    todo: list[tuple[Path, Kind | None, int]] = []
    for path, kind in named.items():
        try:
            now = require_regular_file(path)
        except ClipError as error:
            contents[path] = error
            continue
        found = known.get((path_text(path), now.st_size, now.st_mtime_ns))
        # Two that are alike in size and time may have been swapped, which only their second time tells.
        if found is not None and found.ctime_ns in (None, now.st_ctime_ns):
            contents[path] = found
        else:
            todo.append((path, kind, now.st_size))
    begun = ShardProgress("video_index", "files", len(named), len(named) - len(todo))
    progress = Progress(begun, log, tell)
    for batch in isolated(
        read_content, todo, FILES_PER_CALL, workers, lambda file: file[2] / SLOWEST_BYTES_PER_S
    ):
        contents.update({path: answer for (path, _, _), answer in batch})
        read = [(path, answer) for (path, _, _), answer in batch if isinstance(answer, Content)]
        for path, kind, _ in (file for file, answer in batch if isinstance(answer, ClipError)):
            if kind is not None:  # what is no clip by its name either is counted as left out
                log(f"{path_text(path)}: {contents[path]}")
        if notes is not None:
            with notes.open("a") as lines:
                lines.writelines(json.dumps([path_text(path), *astuple(one)]) + "\n" for path, one in read)
        progress.update(len(batch), len(batch) - len(read))
    return contents


def _noted(notes: Path | None) -> Iterator[tuple[Version, Content]]:
    if notes is None or not notes.exists():
        return
    lines = whole_lines(notes.read_bytes())
    notes.write_bytes(lines)
    for line in lines.splitlines():
        path, size, mtime_ns, ctime_ns, content_id, kind = json.loads(line)
        yield (path, size, mtime_ns), Content(size, mtime_ns, ctime_ns, content_id, Kind(kind))
