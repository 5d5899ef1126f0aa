"""Which clip is in which shard: assigned once, never changed when clips are added."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from stat import S_ISREG

import pyarrow as pa

from resources.annotation.clip import Kind
from resources.source.source import Entry

MANIFEST_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("path", pa.string()),
        ("kind", pa.string()),
        ("text", pa.string()),
        ("content_id", pa.string()),
        ("file_size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("duplicate_of", pa.string()),
        ("extra", pa.string()),
    ]
)
_HASH_THREADS = 8


@dataclass(frozen=True, slots=True)
class IndexedClip:
    """One row of a shard's manifest.

    ``content_id`` is the BLAKE2b-128 of the file's bytes, ``None`` where there is no readable regular file;
    ``duplicate_of`` names the first clip with the same content; ``extra`` is what else a list said of the clip, as
    a JSON object. Manifests of 0.1.0 have no such column.
    """

    id: str
    path: str
    kind: Kind
    text: str | None
    content_id: str | None
    file_size: int | None
    mtime_ns: int | None
    duplicate_of: str | None = None
    extra: str | None = None


@dataclass(frozen=True)
class IndexUpdate:
    """What indexing changes.

    ``new`` holds the shards to add and ``rewritten`` the existing ones of which a row's path, content or text
    changed (never their ids); the lists name clip ids.
    """

    new: dict[str, list[IndexedClip]]
    rewritten: dict[str, list[IndexedClip]]
    added: list[str]
    moved: list[str]
    changed: list[str]
    gone: list[str]
    duplicates: list[str]


@dataclass(frozen=True, slots=True)
class _File:
    size: int | None = None
    mtime_ns: int | None = None


def shard_name(number: int) -> str:
    """``shard-00000``, ``shard-00001``, …"""
    return f"shard-{number:05d}"


def content_id(path: Path) -> str:
    """32 hex digits of the BLAKE2b hash of the whole file.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def path_text(path: Path) -> str:
    """The path as tables hold it: a byte of a name that is not UTF-8 is shown as ``\\xNN``.

    Nothing is found by such a text, so the clip is a ``missing_file`` until somebody renames the file; it then
    keeps its id as any moved clip does.
    """
    return os.fsencode(path).decode(errors="backslashreplace")


def manifest_table(clips: Sequence[IndexedClip]) -> pa.Table:
    """The manifest of a shard, in the order of its clips."""
    return pa.Table.from_pylist([asdict(clip) for clip in clips], schema=MANIFEST_SCHEMA)


def manifest_clips(table: pa.Table) -> list[IndexedClip]:
    """The inverse of :func:`manifest_table`."""
    return [IndexedClip(**{**row, "kind": Kind(row["kind"])}) for row in table.to_pylist()]


def update_index(
    entries: Sequence[Entry], shards: dict[str, list[IndexedClip]], shard_size: int
) -> IndexUpdate:
    """Match the source against the shards that exist and put what is new into new shards.

    A clip is recognised by the id its list gives; else by its path where the file is as it was; else by its
    content where the file that had it is no longer there as it was (it was moved); else by its path (its
    content changed). Only what is new, or changed in size or time, is read. A file that is away keeps what is
    known of it. A duplicate of another clip stays a clip of its own and is reported.
    """
    known = [clip for clips in shards.values() for clip in clips]
    files = {entry.path: _stat(entry.path) for entry in entries}
    matches = _match_unchanged(entries, known, files)
    content = _hash(
        entry.path
        for row, entry in enumerate(entries)
        if files[entry.path].size is not None
        and not _is_as_recorded(matches.get(row), entry, files[entry.path])
    )
    _match_moved(entries, known, content, matches)
    _match_paths(entries, known, matches)

    place = {clip.id: (shard, row) for shard, clips in shards.items() for row, clip in enumerate(clips)}
    rows = {shard: list(clips) for shard, clips in shards.items()}
    fresh: list[IndexedClip] = []
    moved: list[str] = []
    changed: list[str] = []
    taken = {clip.id for clip in known} | {entry.id for entry in entries if entry.id is not None}
    for row, entry in enumerate(entries):
        match, file = matches.get(row), files[entry.path]
        if match is None:
            digest = content.get(entry.path)
            clip_id = entry.id or _new_id(entry.path, digest, taken)
            taken.add(clip_id)
            fresh.append(
                IndexedClip(
                    clip_id,
                    path_text(entry.path),
                    entry.kind,
                    entry.text,
                    digest,
                    file.size,
                    file.mtime_ns,
                    extra=entry.extra,
                )
            )
            continue
        now = replace(match, path=path_text(entry.path), kind=entry.kind, text=entry.text, extra=entry.extra)
        if file.size is not None and not _is_as_recorded(match, entry, file):
            now = replace(
                now, content_id=content.get(entry.path), file_size=file.size, mtime_ns=file.mtime_ns
            )
        if now.content_id != match.content_id:
            changed.append(match.id)
        elif now.path != match.path:
            moved.append(match.id)
        shard, position = place[match.id]
        rows[shard][position] = now
    next_number = 1 + max((int(shard.rpartition("-")[2]) for shard in shards), default=-1)
    for start in range(0, len(fresh), shard_size):
        rows[shard_name(next_number + start // shard_size)] = fresh[start : start + shard_size]
    rows = _with_duplicates_marked(rows)
    listed = {clip.id for clip in matches.values()}
    return IndexUpdate(
        new={shard: clips for shard, clips in rows.items() if shard not in shards},
        rewritten={
            shard: clips for shard, clips in rows.items() if shard in shards and clips != shards[shard]
        },
        added=[clip.id for clip in fresh],
        moved=moved,
        changed=changed,
        gone=[clip.id for clip in known if clip.id not in listed],
        duplicates=[clip.id for clips in rows.values() for clip in clips if clip.duplicate_of],
    )


def _is_as_recorded(clip: IndexedClip | None, entry: Entry, file: _File) -> bool:
    """Is this the file that was hashed, judged by its path, size and time?"""
    return (
        clip is not None
        and clip.content_id is not None
        and clip.path == path_text(entry.path)
        and (clip.file_size, clip.mtime_ns) == (file.size, file.mtime_ns)
    )


def _match_unchanged(
    entries: Sequence[Entry], known: Sequence[IndexedClip], files: dict[Path, _File]
) -> dict[int, IndexedClip]:
    """Entries whose id is known, and those whose file is where and what it was, by row."""
    by_id = {clip.id: clip for clip in known}
    at_path = _queues(known, lambda clip: clip.path)
    matches: dict[int, IndexedClip] = {}
    for row, entry in enumerate(entries):
        if entry.id is not None:
            if entry.id in by_id:
                matches[row] = by_id[entry.id]
            continue
        candidates = at_path[path_text(entry.path)]
        file = files[entry.path]
        if candidates and (file.size is None or _is_as_recorded(candidates[0], entry, file)):
            matches[row] = candidates.pop(0)
    return matches


def _match_moved(
    entries: Sequence[Entry],
    known: Sequence[IndexedClip],
    content: dict[Path, str],
    matches: dict[int, IndexedClip],
) -> None:
    """Of the entries without an id that are left, those whose content is known from a clip that is left."""
    matched = {clip.id for clip in matches.values()}
    with_content = _queues(
        [clip for clip in known if clip.id not in matched], lambda clip: clip.content_id or ""
    )
    for row, entry in enumerate(entries):
        digest = content.get(entry.path)
        if row in matches or entry.id is not None or digest is None:
            continue
        candidates = with_content[digest]
        if candidates:
            same_path = next(
                (clip for clip in candidates if clip.path == path_text(entry.path)), candidates[0]
            )
            candidates.remove(same_path)
            matches[row] = same_path


def _match_paths(
    entries: Sequence[Entry], known: Sequence[IndexedClip], matches: dict[int, IndexedClip]
) -> None:
    """Of what is left, entries at the path of a clip that is left: its content changed."""
    matched = {clip.id for clip in matches.values()}
    at_path = _queues([clip for clip in known if clip.id not in matched], lambda clip: clip.path)
    for row, entry in enumerate(entries):
        if row not in matches and entry.id is None and at_path[path_text(entry.path)]:
            matches[row] = at_path[path_text(entry.path)].pop(0)


def _queues(
    clips: Sequence[IndexedClip], key: Callable[[IndexedClip], str]
) -> defaultdict[str, list[IndexedClip]]:
    queues: defaultdict[str, list[IndexedClip]] = defaultdict(list)
    for clip in clips:
        queues[key(clip)].append(clip)
    return queues


def _with_duplicates_marked(shards: dict[str, list[IndexedClip]]) -> dict[str, list[IndexedClip]]:
    """Every clip whose content an earlier one has names that one; nobody else names anybody."""
    first_with: dict[str, str] = {}

    def marked(clip: IndexedClip) -> IndexedClip:
        first = first_with.setdefault(clip.content_id, clip.id) if clip.content_id else clip.id
        original = None if first == clip.id else first
        return clip if clip.duplicate_of == original else replace(clip, duplicate_of=original)

    return {shard: [marked(clip) for clip in clips] for shard, clips in shards.items()}


def _stat(path: Path) -> _File:
    try:
        status = os.stat(path)
    except OSError:
        return _File()
    return _File(status.st_size, status.st_mtime_ns) if S_ISREG(status.st_mode) else _File()


def _hash(paths: Iterable[Path]) -> dict[Path, str]:
    """The content ids of those files that can be read; what cannot be is the probe's to report."""

    def digest(path: Path) -> str | None:
        try:
            return content_id(path)
        except OSError:
            return None

    unique = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(_HASH_THREADS) as pool:
        return {path: found for path, found in zip(unique, pool.map(digest, unique), strict=True) if found}


def _new_id(path: Path, digest: str | None, taken: set[str]) -> str:
    """16 hex digits of the content (of the path where there is none), numbered from the second one on."""
    base = (digest or hashlib.blake2b(path_text(path).encode(), digest_size=16).hexdigest())[:16]
    clip_id, number = base, 1
    while clip_id in taken:
        number += 1
        clip_id = f"{base}-{number}"
    return clip_id
