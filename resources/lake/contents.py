"""What the files of a source hold, read in children and noted, so that an index that was stopped goes on."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from upath import UPath

from resources.annotation.clip import Kind
from resources.annotation.journal import whole_lines
from resources.annotation.outcome import ClipError, ErrorKind
from resources.annotation.progress import Progress, ShardProgress
from resources.storage.files import append_durable, write_atomic

if TYPE_CHECKING:
    from resources.video import IsolatedWorkers

FILES_PER_CALL = 256
BYTES_PER_CALL = 256 * 1024**2
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

    def is_still(self, now: "FileState") -> bool:
        """Is this the file, judged by its size and times? A swap of two alike changes the second time alone."""
        known = (self.size, self.mtime_ns, self.ctime_ns or now.ctime_ns)
        return now.size is not None and known == (now.size, now.mtime_ns, now.ctime_ns)


Named = Mapping[Path, Kind | None]
States = dict[str, list[FileState]]
"""By path, as tables have it, what was read there at one time or another."""


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
    named: Named,
    known: States,
    workers: "IsolatedWorkers",
    notes: UPath | None,
    log: Callable[[str], None],
    tell: Callable[[ShardProgress], None],
) -> dict[Path, FileState]:
    """The state of each file; what is as it was ``known``, or noted, is not read again.

    Args:
        named: the files, each with what its name promises.
        notes: the file to which what is read is added; the caller deletes it when the index is written.
    """
    from resources.video.isolated import isolated_batches

    for where, state in _noted(notes):
        known.setdefault(where, []).append(state)
    states = {path: _stat(path, kind) for path, kind in named.items()}
    todo: list[tuple[Path, FileState]] = []
    for path, now in states.items():
        found = next((one for one in known.get(path_text(path), ()) if one.is_still(now)), None)
        if found is not None:
            states[path] = found
        elif now.size is not None:
            todo.append((path, now))
    batches = list(_batches(todo))
    progress = Progress(
        ShardProgress("video_index", "files", len(states), len(states) - len(todo)), log, tell
    )
    for batch, answers in zip(
        batches, isolated_batches(read_files, batches, workers, _allowance_s), strict=True
    ):
        read = []
        for (path, now), answer in zip(batch, answers, strict=True):
            if isinstance(answer, ClipError):
                log(f"{path_text(path)}: {answer.message}")
                states[path] = FileState(kind=now.kind, reason=answer.message)
            else:
                read.append((path_text(path), answer))
                states[path] = answer
        if notes is not None:
            append_durable(
                notes, b"".join(json.dumps([where, *astuple(one)]).encode() + b"\n" for where, one in read)
            )
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


def _noted(notes: UPath | None) -> Iterator[tuple[str, FileState]]:
    if notes is None:
        return
    lines = whole_lines(notes.read_bytes()) if notes.exists() else b""
    write_atomic(notes, lines)
    for line in lines.splitlines():
        path, size, mtime_ns, ctime_ns, content_id, kind, reason = json.loads(line)
        yield path, FileState(size, mtime_ns, ctime_ns, content_id, kind and Kind(kind), reason)


def _batches(files: Sequence[tuple[Path, FileState]]) -> Iterator[list[tuple[Path, FileState]]]:
    batch: list[tuple[Path, FileState]] = []
    size = 0
    for path, state in files:
        if batch and (len(batch) == FILES_PER_CALL or size + (state.size or 0) > BYTES_PER_CALL):
            yield batch
            batch, size = [], 0
        batch.append((path, state))
        size += state.size or 0
    if batch:
        yield batch


def _allowance_s(batch: Sequence[tuple[Path, FileState]]) -> float:
    return sum(state.size or 0 for _, state in batch) / SLOWEST_BYTES_PER_S
