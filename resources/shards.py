"""Which clip is in which shard: assigned once, never changed when clips are added."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from stat import S_ISREG

import pyarrow as pa

from resources.annotation.clip import Kind
from resources.source import Entry

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
    ]
)
_HASH_THREADS = 8


@dataclass(frozen=True, slots=True)
class IndexedClip:
    """One row of a shard's manifest.

    ``content_id`` is the BLAKE2b-128 of the file's bytes, ``None`` where there is no readable regular file;
    ``duplicate_of`` names the first clip with the same content.
    """

    id: str
    path: str
    kind: Kind
    text: str | None
    content_id: str | None
    file_size: int | None
    mtime_ns: int | None
    duplicate_of: str | None = None


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

    A clip is recognised by the id its list gives, else by its path, else by its content where the file that
    had this content is no longer listed (it was moved). Only what is new, or changed in size or time, is
    read. A duplicate of another clip stays a clip of its own and is reported.
    """
    files = {entry.path: _stat(entry.path) for entry in entries}
    place = {clip.id: (shard, row) for shard, clips in shards.items() for row, clip in enumerate(clips)}
    known = [clip for clips in shards.values() for clip in clips]
    by_id, by_path = {clip.id: clip for clip in known}, {clip.path: clip for clip in known}
    matches = [by_id.get(e.id) if e.id is not None else by_path.get(str(e.path)) for e in entries]

    def is_as_recorded(entry: Entry, clip: IndexedClip | None) -> bool:
        file = files[entry.path]
        return (
            clip is not None
            and clip.path == str(entry.path)
            and (clip.file_size, clip.mtime_ns) == (file.size, file.mtime_ns)
        )

    content = _hash(
        entry.path
        for entry, clip in zip(entries, matches, strict=True)
        if files[entry.path].size is not None and not is_as_recorded(entry, clip)
    )
    listed = {clip.id for clip in matches if clip is not None}
    movable: dict[str, list[IndexedClip]] = defaultdict(list)
    first_with: dict[str, str] = {}
    for clip in known:
        if clip.content_id is not None:
            first_with.setdefault(clip.content_id, clip.id)
            if clip.id not in listed:
                movable[clip.content_id].append(clip)

    rows = {shard: list(clips) for shard, clips in shards.items()}
    fresh: list[IndexedClip] = []
    moved: list[str] = []
    changed: list[str] = []
    taken = set(by_id) | {entry.id for entry in entries if entry.id is not None}
    for entry, match in zip(entries, matches, strict=True):
        file = files[entry.path]
        digest = match.content_id if match and is_as_recorded(entry, match) else content.get(entry.path)
        if match is None and entry.id is None and digest is not None and movable[digest]:
            match = movable[digest].pop(0)
            listed.add(match.id)
            moved.append(match.id)
        elif match is not None and match.content_id != digest:
            changed.append(match.id)
        elif match is not None and match.path != str(entry.path):
            moved.append(match.id)
        if match is not None:
            shard, row = place[match.id]
            rows[shard][row] = replace(
                match,
                path=str(entry.path),
                kind=entry.kind,
                text=entry.text,
                content_id=digest,
                file_size=file.size,
                mtime_ns=file.mtime_ns,
            )
            continue
        clip_id = entry.id or _new_id(entry.path, digest, taken)
        taken.add(clip_id)
        original = first_with.setdefault(digest, clip_id) if digest else clip_id
        fresh.append(
            IndexedClip(
                clip_id,
                str(entry.path),
                entry.kind,
                entry.text,
                digest,
                file.size,
                file.mtime_ns,
                duplicate_of=original if original != clip_id else None,
            )
        )
    next_number = 1 + max((int(shard.rpartition("-")[2]) for shard in shards), default=-1)
    chunks = [fresh[start : start + shard_size] for start in range(0, len(fresh), shard_size)]
    return IndexUpdate(
        new={shard_name(next_number + i): chunk for i, chunk in enumerate(chunks)},
        rewritten={shard: clips for shard, clips in rows.items() if clips != shards[shard]},
        added=[clip.id for clip in fresh],
        moved=moved,
        changed=changed,
        gone=[clip.id for clip in known if clip.id not in listed],
        duplicates=[clip.id for clip in [*known, *fresh] if clip.duplicate_of],
    )


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
    base = (digest or hashlib.blake2b(str(path).encode(), digest_size=16).hexdigest())[:16]
    clip_id, number = base, 1
    while clip_id in taken:
        number += 1
        clip_id = f"{base}-{number}"
    return clip_id
