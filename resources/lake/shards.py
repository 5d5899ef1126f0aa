"""Which clip is in which shard: assigned once, never changed when clips are added."""

import hashlib
from collections import defaultdict, deque
from collections.abc import Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import count, product
from pathlib import Path
from typing import Literal, get_args

import pyarrow as pa

from resources.annotation.clip import Kind
from resources.annotation.outcome import ClipError
from resources.lake.contents import Content, Version, path_text
from resources.source.source import Entry


@dataclass(frozen=True, slots=True)
class IndexedClip:
    """One row of a shard's manifest.

    ``content_id`` is the BLAKE2b-128 of the file's bytes, ``None`` where there is no readable regular file;
    ``duplicate_of`` names the first clip with the same content; ``extra`` is what else a list said of the clip, as
    a JSON object. ``gone``: the source has it no more; ``span``: the part of the file that it is, as :class:`Span`
    writes it. Manifests of 0.1.0 lack the last four.
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
    span: str | None = None

    @property
    def shown(self) -> str | None:
        """What the clip shows, by which answers are known: the content of its file, and which part of it."""
        return part_content(self.content_id, self.span)


_NOT_TEXT = {"file_size": pa.int64(), "mtime_ns": pa.int64(), "ctime_ns": pa.int64(), "gone": pa.bool_()}
MANIFEST_SCHEMA = pa.schema([(one.name, _NOT_TEXT.get(one.name, pa.string())) for one in fields(IndexedClip)])
Change = Literal["added", "moved", "changed", "gone", "returned", "duplicates"]


@dataclass(frozen=True)
class IndexUpdate:
    """What indexing changes.

    ``written`` holds the shards to add and those of which a row changed (never their ids), ``changes`` the ids of clips
    to which something happened since the last index, and of all that are duplicates; ``clips`` is how many are there,
    ``texts`` how many of them come with a text.
    """

    written: dict[str, list[IndexedClip]]
    changes: dict[Change, list[str]]
    clips: int
    texts: int


def shard_name(number: int) -> str:
    """``shard-00000``, ``shard-00001``, …"""
    return f"shard-{number:05d}"


def part_content(content: str | None, span: str | None) -> str | None:
    """The content id of a part of a file; of the whole file, where it is that."""
    if content is None or span is None:
        return content
    return hashlib.blake2b(f"{content} {span}".encode(), digest_size=16).hexdigest()


def manifest_table(clips: Sequence[IndexedClip]) -> pa.Table:
    """The manifest of a shard, in the order of its clips."""
    return pa.Table.from_pylist([asdict(clip) for clip in clips], schema=MANIFEST_SCHEMA)


def manifest_clips(table: pa.Table) -> list[IndexedClip]:
    """The inverse of :func:`manifest_table`."""
    return [IndexedClip(**{**row, "kind": Kind(row["kind"])}) for row in table.to_pylist()]


def read_before(shards: Mapping[str, Sequence[IndexedClip]]) -> dict[Version, Content]:
    """What was read of the clips' files, for :func:`resources.lake.contents.read_contents`."""
    return {
        (clip.path, clip.file_size, clip.mtime_ns): Content(
            clip.file_size, clip.mtime_ns, clip.ctime_ns, clip.content_id, clip.kind
        )
        for clips in shards.values()
        for clip in clips
        if clip.content_id and clip.file_size is not None and clip.mtime_ns is not None
    }


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
    shown = {
        number: part_content(read[entry.path].content_id, _part(entry))
        for number, entry in enumerate(listed)
        if entry.path in read
    }
    keys = [_keys_of_entry(entry, shown.get(number)) for number, entry in enumerate(listed)]
    matches = _match(keys, known.values())
    place = {clip.id: (shard, row) for shard, clips in shards.items() for row, clip in enumerate(clips)}
    rows = {shard: [replace(clip, gone=True) for clip in clips] for shard, clips in shards.items()}
    fresh: list[IndexedClip] = []
    taken = {*known, *(entry.id for entry in entries)}
    for number, entry in enumerate(listed):
        content, path, span = read.get(entry.path), path_text(entry.path), _part(entry)
        clip = matches.get(number)
        if clip is None:
            clip_id = _new_id(entry, shown.get(number), taken)
            clip = IndexedClip(clip_id, path, entry.kind or Kind.VIDEO, None, None, None, None)
            taken.add(clip.id)
        held = {name: getattr(content, name) for name in Content.__dataclass_fields__} if content else {}
        clip = replace(clip, path=path, text=entry.text, extra=entry.extra, span=span, gone=False, **held)
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
    there = [clip for clip in now if not clip.gone]
    return IndexUpdate(written, changes, len(there), sum(clip.text is not None for clip in there))


def _change(before: IndexedClip | None, now: IndexedClip) -> Change | None:
    if before is None:
        return "added"
    if before.gone != now.gone:
        return "gone" if now.gone else "returned"
    if before.shown != now.shown:
        return "changed"
    return "moved" if before.path != now.path else None


def _part(entry: Entry) -> str | None:
    return str(entry.span) if entry.span else None


def _new_id(entry: Entry, content: str | None, taken: Container[str | None]) -> str:
    """The list's own; else 16 hex digits of the content (of the path where there is none), numbered if taken."""
    if entry.id is not None:
        return entry.id
    path = " ".join(filter(None, (path_text(entry.path), _part(entry))))
    base = (content or hashlib.blake2b(path.encode(), digest_size=16).hexdigest())[:16]
    return next(
        new for number in count(1) if (new := f"{base}-{number}" if number > 1 else base) not in taken
    )


Keys = tuple[Hashable, ...]
"""By what a clip is recognised, the surest first: its id, what it holds and where, what it holds; else where it is."""


def _keys_of_entry(entry: Entry, content: str | None) -> Keys:
    if entry.id is not None:
        return entry.id, None, None, None, None
    path = path_text(entry.path), _part(entry)
    return None, content and (content, path), content, None if content else path, content and path


def _keys_of_clip(clip: IndexedClip) -> Keys:
    content, path = clip.shown, (clip.path, clip.span)
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
        first = first_with.setdefault(clip.shown, clip.id) if clip.shown and not clip.gone else clip.id
        original = None if first == clip.id else first
        return clip if clip.duplicate_of == original else replace(clip, duplicate_of=original)

    return {shard: [marked(clip) for clip in clips] for shard, clips in shards.items()}
