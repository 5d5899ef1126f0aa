"""Which clip is in which shard: assigned once, never changed when clips are added."""

import hashlib
from collections import defaultdict, deque
from collections.abc import Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count, product
from pathlib import Path
from typing import Literal, get_args

import pyarrow as pa

from resources.annotation.clip import Kind
from resources.annotation.outcome import ClipError
from resources.lake.contents import Content, path_text
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
        ("ctime_ns", pa.int64()),
        ("gone", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True)
class IndexedClip:
    """One row of a shard's manifest.

    ``content_id`` is the BLAKE2b-128 of the file's bytes, ``None`` where there is no readable regular file;
    ``duplicate_of`` names the first clip with the same content; ``extra`` is what else a list said of the clip, as
    a JSON object. ``gone``: the source has it no more. Manifests of 0.1.0 lack the last three.
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
    ctime_ns: int | None = None
    gone: bool = False


Change = Literal["added", "moved", "changed", "gone", "returned", "duplicates"]


@dataclass(frozen=True)
class IndexUpdate:
    """What indexing changes.

    ``written`` holds the shards to add and those of which a row changed (never their ids), ``changes`` the ids of clips
    to which something happened since the last index, and of all that are duplicates; ``clips`` is how many are there.
    """

    written: dict[str, list[IndexedClip]]
    changes: dict[Change, list[str]]
    clips: int


def shard_name(number: int) -> str:
    """``shard-00000``, ``shard-00001``, …"""
    return f"shard-{number:05d}"


def manifest_table(clips: Sequence[IndexedClip]) -> pa.Table:
    """The manifest of a shard, in the order of its clips."""
    return pa.Table.from_pylist([asdict(clip) for clip in clips], schema=MANIFEST_SCHEMA)


def manifest_clips(table: pa.Table) -> list[IndexedClip]:
    """The inverse of :func:`manifest_table`."""
    return [IndexedClip(**{**row, "kind": Kind(row["kind"])}) for row in table.to_pylist()]


def update_index(
    entries: Sequence[Entry],
    shards: Mapping[str, Sequence[IndexedClip]],
    shard_size: int,
    contents: Mapping[Path, Content | ClipError],
) -> IndexUpdate:
    """Match the source against the shards that exist and put what is new into new shards.

    A clip is recognised by the id its list gives; else by its content, wherever the file is now: of several of one
    content, one that is there before one that is gone, and the one of the same path before others. An entry whose
    file cannot be read is the clip of its path, of which what is known stays. Whatever no entry is, is gone, and comes
    back with its content. A duplicate of another clip stays a clip of its own and is reported.

    Args:
        contents: of the entries' files; one that cannot be read, and is no video or image by its name, is no clip.
    """
    read = {path: content for path, content in contents.items() if isinstance(content, Content)}
    listed = [entry for entry in entries if entry.kind or entry.path in read]
    known = {clip.id: clip for clips in shards.values() for clip in clips}
    matches = _match([_keys_of_entry(entry, read.get(entry.path)) for entry in listed], known.values())
    place = {clip.id: (shard, row) for shard, clips in shards.items() for row, clip in enumerate(clips)}
    rows = {shard: [replace(clip, gone=True) for clip in clips] for shard, clips in shards.items()}
    fresh: list[IndexedClip] = []
    taken = {*known, *(entry.id for entry in entries)}
    for number, entry in enumerate(listed):
        content, path = read.get(entry.path), path_text(entry.path)
        clip = matches.get(number)
        if clip is None:
            clip = IndexedClip(
                _new_id(entry, content, taken), path, entry.kind or Kind.VIDEO, None, None, None, None
            )
            taken.add(clip.id)
        held = {name: getattr(content, name) for name in Content.__dataclass_fields__} if content else {}
        clip = replace(clip, path=path, text=entry.text, extra=entry.extra, gone=False, **held)
        if number in matches:
            shard, row = place[clip.id]
            rows[shard][row] = clip
        else:
            fresh.append(clip)
    next_number = 1 + max((int(shard.rpartition("-")[2]) for shard in shards), default=-1)
    for start in range(0, len(fresh), shard_size):
        rows[shard_name(next_number + start // shard_size)] = fresh[start : start + shard_size]
    rows = _with_duplicates_marked(rows)
    changes: dict[Change, list[str]] = {change: [] for change in get_args(Change)}
    now = [clip for clips in rows.values() for clip in clips]
    for clip in now:
        if change := _change(known.get(clip.id), clip):
            changes[change].append(clip.id)
    changes["duplicates"] = [clip.id for clip in now if clip.duplicate_of]
    written = {shard: clips for shard, clips in rows.items() if clips != list(shards.get(shard, ()))}
    return IndexUpdate(written, changes, sum(not clip.gone for clip in now))


def _change(before: IndexedClip | None, now: IndexedClip) -> Change | None:
    if before is None:
        return "added"
    if before.gone != now.gone:
        return "gone" if now.gone else "returned"
    if before.content_id != now.content_id:
        return "changed"
    return "moved" if before.path != now.path else None


def _new_id(entry: Entry, content: Content | None, taken: Container[str | None]) -> str:
    """The list's own; else 16 hex digits of the content (of the path where there is none), numbered if taken."""
    if entry.id is not None:
        return entry.id
    path = path_text(entry.path).encode()
    base = (content.content_id if content else hashlib.blake2b(path, digest_size=16).hexdigest())[:16]
    return next(
        new for number in count(1) if (new := f"{base}-{number}" if number > 1 else base) not in taken
    )


Keys = tuple[Hashable, ...]
"""By what a clip is recognised, the surest first: its id, what it holds and where, what it holds; else where it is."""


def _keys_of_entry(entry: Entry, content: Content | None) -> Keys:
    path, held = path_text(entry.path), content and content.content_id
    if entry.id is not None:
        return entry.id, None, None, None, None
    return (None, (held, path), held, None, path) if held else (None, None, None, path, None)


def _keys_of_clip(clip: IndexedClip) -> Keys:
    content, path = clip.content_id, clip.path
    return clip.id, (content, path), content, path, None if content else path


def _match(entries: Sequence[Keys], known: Iterable[IndexedClip]) -> dict[int, IndexedClip]:
    """The clip that each entry is, by the entry's number; see :func:`update_index`."""
    free = {clip.id: clip for clip in known}
    left = dict(enumerate(entries))
    matches: dict[int, IndexedClip] = {}
    for gone, way in product((False, True), range(5)):
        clips: defaultdict[Hashable, deque[IndexedClip]] = defaultdict(deque)
        for clip in free.values():
            if clip.gone == gone:
                clips[_keys_of_clip(clip)[way]].append(clip)
        for number, keys in [*left.items()]:
            if keys[way] is not None and clips[keys[way]]:
                matches[number] = clips[keys[way]].popleft()
                del free[matches[number].id], left[number]
    return matches


def _with_duplicates_marked(shards: dict[str, list[IndexedClip]]) -> dict[str, list[IndexedClip]]:
    """Every clip whose content an earlier one has names that one; nobody else names anybody."""
    first_with: dict[str, str] = {}

    def marked(clip: IndexedClip) -> IndexedClip:
        first = (
            first_with.setdefault(clip.content_id, clip.id) if clip.content_id and not clip.gone else clip.id
        )
        original = None if first == clip.id else first
        return clip if clip.duplicate_of == original else replace(clip, duplicate_of=original)

    return {shard: [marked(clip) for clip in clips] for shard, clips in shards.items()}
