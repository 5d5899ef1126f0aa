"""What the files of a source hold, read in children and noted, so that an index that was stopped goes on."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from resources.annotation.clip import Kind
from resources.annotation.journal import whole_lines
from resources.annotation.outcome import ClipError, ErrorKind
from resources.annotation.progress import Progress, ShardProgress

if TYPE_CHECKING:
    from resources.video import IsolatedWorkers

FILES_PER_CALL = 32
SLOWEST_BYTES_PER_S = 4 * 1024**2
"""A file that is read more slowly than this on the whole is given up like one that cannot be read."""


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it was read: bytes, times of its content and of its name, the BLAKE2b-128 of its bytes, what it is.

    Without a size it was not read, without a content id it could not be read to its end; without a kind it is neither
    video nor image, for the ``reason``. ``ctime_ns`` is unknown of what 0.1.0 read.
    """

    size: int | None = None
    mtime_ns: int | None = None
    ctime_ns: int | None = None
    content_id: str | None = None
    kind: Kind | None = None
    reason: str | None = None


Version = tuple[str, int | None, int | None]
"""Path, as tables have it, size and time of a file."""


def path_text(path: Path) -> str:
    """The path as tables hold it: a byte of a name that is not UTF-8 is shown as ``\\xNN``.

    Nothing is found by such a text, so the clip is a ``missing_file`` until somebody renames the file; it then
    keeps its id as any moved clip does.
    """
    return os.fsencode(path).decode(errors="backslashreplace")


def read_files(files: Sequence[tuple[Path, FileState]]) -> list[FileState | ClipError]:
    """Each file, of which size, times and the kind by its name are known, read. Meant for a child process."""
    from resources.video.kind import kind_by_content

    states: list[FileState | ClipError] = []
    for path, state in files:
        try:
            kind = kind_by_content(path, state.kind)
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
            states.append(replace(state, content_id=digest, kind=kind))
        except OSError as error:
            states.append(ClipError(ErrorKind.MISSING_FILE, f"the file cannot be read: {error.strerror}"))
        except ClipError as error:
            states.append(
                error if error.kind is ErrorKind.MISSING_FILE else replace(state, reason=error.message)
            )
    return states


def read_contents(
    named: Mapping[Path, Kind | None],
    known: Mapping[Version, FileState],
    workers: "IsolatedWorkers",
    notes: Path | None,
    log: Callable[[str], None],
    tell: Callable[[ShardProgress], None],
) -> dict[Path, FileState]:
    """The state of each file; what is as it was ``known``, or noted, is not read again.

    Args:
        named: the files, each with what its name promises.
        notes: the file to which what is read is added; the caller deletes it when the index is written.
    """
    from resources.video.isolated import isolated

    known = {**known, **dict(_noted(notes))}
    states: dict[Path, FileState] = {}
    todo: list[tuple[Path, FileState]] = []
    for path, kind in named.items():
        states[path] = now = _stat(path, kind)
        found = known.get((path_text(path), now.size, now.mtime_ns))
        # Two that are alike in size and time may have been swapped, which only their second time tells.
        if found is not None and found.ctime_ns in (None, now.ctime_ns):
            states[path] = found
        elif now.size is not None:
            todo.append((path, now))
    begun = ShardProgress("video_index", "files", len(states), len(states) - len(todo))
    progress = Progress(begun, log, tell)
    for batch in isolated(read_files, todo, FILES_PER_CALL, workers, _allowance_s):
        read = []
        for (path, now), answer in batch:
            if isinstance(answer, ClipError):
                log(f"{path_text(path)}: {answer.message}")
                states[path] = FileState(kind=now.kind, reason=answer.message)
            else:
                states[path] = answer
                read.append(json.dumps([path_text(path), *astuple(answer)]) + "\n")
        if notes is not None:
            with notes.open("a") as lines:
                lines.writelines(read)
        progress.update(len(batch), len(batch) - len(read))
    return states


def _stat(path: Path, kind: Kind | None) -> FileState:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return FileState(kind=kind, reason="there is no such file")
    if not S_ISREG(status.st_mode):
        return FileState(kind=kind, reason="not a regular file")
    return FileState(status.st_size, status.st_mtime_ns, status.st_ctime_ns, kind=kind)


def _noted(notes: Path | None) -> Iterator[tuple[Version, FileState]]:
    if notes is None or not notes.exists():
        return
    lines = whole_lines(notes.read_bytes())
    notes.write_bytes(lines)
    for line in lines.splitlines():
        path, size, mtime_ns, ctime_ns, content_id, kind, reason = json.loads(line)
        state = FileState(size, mtime_ns, ctime_ns, content_id, kind and Kind(kind), reason)
        yield (path, size, mtime_ns), state


def _allowance_s(file: tuple[Path, FileState]) -> float:
    return (file[1].size or 0) / SLOWEST_BYTES_PER_S
