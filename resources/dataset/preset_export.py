"""An export in the files of one tool, as a preset describes them."""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from upath import UPath

from resources.annotation.clip import Kind, Span
from resources.annotation.declaration import Role
from resources.dataset.annotators import annotators, columns_of
from resources.dataset.cuts import SUFFIX, cut
from resources.dataset.export import NothingToExportError, training_rows
from resources.dataset.export_set import Captions, ExportSet, Link
from resources.dataset.filters import ClipFilters, FilterError
from resources.dataset.lists import write_list
from resources.dataset.near_duplicates import find_near_duplicates
from resources.dataset.presets import Preset, presets
from resources.dataset.publication import publication, write_record
from resources.dataset.source_columns import with_source_columns
from resources.dataset.webdataset import TarShards, sample_key
from resources.storage.files import is_local
from resources.video import FrameReader, IsolatedWorkers
from resources.warehouse import Warehouse

_SAMPLES_PER_TAR = 1_000
_NOT_READ = ("id", "text_source", "text_language", "extra")
_NOT_SHOWN = ("path", "row_hash", "texts", "tars")
_HASHED = ("id", "content_id", "duplicate_group", "row_hash")
Row = dict[str, Any]


@dataclass(frozen=True)
class PresetExport:
    """What was made: where, clips by split, clips left out by reason, and whether anything had to be written."""

    folder: UPath
    rows: dict[str, int]
    left_out: dict[str, int]
    content_hash: str
    written: bool


def export_preset(
    warehouse: Warehouse,
    exports: UPath,
    wanted: ExportSet,
    filters: ClipFilters | None = None,
    demo_models: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PresetExport:
    """Make the files of a tool below ``exports`` and publish them all at once under the export's name.

    Nothing is written where the rows and the options are those of what is there.

    Args:
        filters: which clips; by default those of the set's own condition.
        demo_models: annotators that used a demonstration model on clips that are not the demo's.
        progress: is told how many clips are done, of how many.

    Raises:
        WarehouseEmptyError: nothing has been merged yet.
        WarehouseBusyError: another process kept the database open.
        FilterError: there is no such preset, or a filter names what the collection does not have.
        NothingToExportError: no row is left; what was published before stays.
        PublicationError: the export's name is taken by something else.
    """
    if sentence := wanted.fault([]):
        raise FilterError(sentence)
    filters = filters or ClipFilters(where=wanted.where)
    preset, folder = presets()[wanted.preset], exports / wanted.name
    rows, left_out = _chosen(warehouse, preset, wanted, filters)
    if not rows:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "there is no clip"
        raise NothingToExportError(f"no clip is left for {wanted.name}: {reasons}; the last export stays")
    if preset.tars:
        rows = [{**row, "tars": name} for row, name in zip(rows, _tar_folders(rows, preset), strict=True)]
    splits = _splits(rows, wanted.val)
    content_hash = _content_hash(rows, preset, wanted, filters, demo_models)
    counts = {name: len(part) for name, part in splits.items()}
    record = folder / "export.json"
    if record.exists() and json.loads(record.read_text())["content_hash"] == content_hash:
        return PresetExport(folder, counts, left_out, content_hash, written=False)
    link = wanted.link if is_local(exports) else Link.COPY
    before = Path(folder.path) if is_local(exports) else None
    done = 0
    with publication(exports, wanted.name) as built, IsolatedWorkers(1) as workers:
        frames = FrameReader(workers)
        for name, part in splits.items():
            inner = PurePosixPath(name) if len(splits) > 1 else PurePosixPath()
            published = f"{folder}/{inner}".removesuffix("/.")
            place = _Place(built / inner, published, before and before / inner, frames)
            for written in _write(part, preset, wanted.captions, place, link):
                progress(done + written, len(rows))
            done += len(part)
        (built / "USE.md").write_text(_use(preset, wanted.name, str(folder), counts, demo_models))
        content = {
            "tools": preset.tools,
            "content_hash": content_hash,
            "rows": counts,
            "left_out": left_out,
            "filters": filters.active,
            "options": wanted.shown(),
            "text_sources": dict(Counter(row["text_source"] for row in rows)),
            "demo_models": list(demo_models),
        }
        write_record(built, content)
    return PresetExport(folder, counts, left_out, content_hash, written=True)


@dataclass(frozen=True)
class _Place:
    """The folder that is built, the path it will have, the same part of the export before, and what reads videos."""

    folder: Path
    published: str
    before: Path | None
    frames: "FrameReader"

    def cut(self, row: Row) -> Row:
        """The row of a clip that is a part of a video with a file of its own, at ``made`` until it is published."""
        if row.get("start_s") is None:
            return row
        made = self.folder / "cuts" / f"{sample_key(row['id'])}{SUFFIX}"
        cut(Path(row["path"]), Span(row["start_s"], row["end_s"]), made, self.frames)
        return {**row, "path": f"{self.published}/cuts/{made.name}", "made": made}


def _chosen(
    warehouse: Warehouse, preset: Preset, wanted: ExportSet, filters: ClipFilters
) -> tuple[list[Row], dict[str, int]]:
    """The rows to export, in their order, and how many clips are left out for which reason."""
    with warehouse.snapshot() as connection:
        listed = annotators(connection)
        filters.require_known(listed)
        with_source_columns(connection)
        columns = [name for name in connection.table("listed_videos").columns if name not in _NOT_READ]
        captions = columns_of(listed, Role.CAPTION)
        rows = [
            row for batch in training_rows(connection, filters, columns, listed) for row in batch.to_pylist()
        ]
        alike = find_near_duplicates(connection) if wanted.val else None
        found = connection.execute(
            "SELECT count(*) FILTER (probe_error IS NOT NULL), "
            "count(*) FILTER (probe_error IS NULL AND coalesce(text, '') = ''), count(*) FROM captioned_videos"
        ).fetchone()
    assert found is not None
    unreadable, silent, clips = found
    left_out = Counter(
        {"not readable": unreadable, "no text": silent, "filters": clips - unreadable - silent - len(rows)}
    )
    groups = {row["id"]: row["duplicate_group"] for row in alike.to_pylist()} if alike is not None else {}
    kept = []
    for row in rows:
        row["duplicate_group"] = groups.get(row["id"])
        suffix = _suffix(row)
        if preset.media and Kind(row["kind"]) not in preset.media:
            left_out[f"the tool takes no {row['kind']}s"] += 1
        elif preset.only and suffix not in preset.only:
            left_out[f"the tool does not open {suffix or 'files without a suffix'}"] += 1
        elif preset.media and not os.path.exists(row["path"]):
            left_out["the file is gone"] += 1
        else:
            row["texts"] = list(
                dict.fromkeys(said for said in (row["text"], *map(row.get, captions)) if said)
            )
            if wanted.captions is Captions.TEXT:
                row["texts"] = row["texts"][:1]
            kept.append(row)
    if wanted.shuffle:
        kept.sort(key=lambda row: hashlib.sha256(f"{wanted.seed} {row['id']}".encode()).digest())
    if wanted.head is not None and len(kept) > wanted.head:
        left_out["beyond head"] = len(kept) - wanted.head
        kept = kept[: wanted.head]
    return kept, {reason: count for reason, count in left_out.items() if count}


def _suffix(row: Row) -> str:
    return PurePosixPath(row["path"]).suffix.lower() if row.get("start_s") is None else SUFFIX


def _tar_folders(rows: list[Row], preset: Preset) -> list[str]:
    """Of each row the folder of its tar: readers take all files of a folder for one type.

    The commonest type of a kind has its folder, any other one of its own: ``videos``, ``videos-mkv``.
    """
    types = [(preset.media[Kind(row["kind"])], _suffix(row)) for row in rows]
    names: dict[tuple[str, str], str] = {}
    for (media, suffix), _ in Counter(types).most_common():
        own = f"{media}-{suffix.removeprefix('.') or 'bin'}"
        names[media, suffix] = own if media in names.values() else media
    return [names[one] for one in types]


def _splits(rows: list[Row], val: float) -> dict[str, list[Row]]:
    """The rows for training and for validation; near-duplicates, and clips of one file, stay together."""
    if not val:
        return {"train": rows}
    splits: dict[str, list[Row]] = {"train": [], "val": []}
    for row in rows:
        file = row["content_id"] if row.get("start_s") is None else row["path"]
        group = row["duplicate_group"] or file or row["id"]
        draw = int.from_bytes(hashlib.sha256(str(group).encode()).digest()[:8]) / 2**64
        splits["val" if draw < val else "train"].append(row)
    return {name: part for name, part in splits.items() if part}


def _content_hash(
    rows: list[Row], preset: Preset, wanted: ExportSet, filters: ClipFilters, demo_models: Sequence[str]
) -> str:
    """Of everything that the files are made of."""
    said = [repr(preset), wanted.shown(), filters.active, list(demo_models)]
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for row in rows:
        digest.update(json.dumps([row[name] for name in _HASHED]).encode())
    return digest.hexdigest()


def _write(rows: list[Row], preset: Preset, captions: Captions, place: _Place, link: Link) -> Iterator[int]:
    """Write one split; yields how many clips are done."""
    lists = preset.lists
    sidecar = preset.sidecar
    if captions is Captions.ALL and preset.several is not None:
        lists, sidecar = (*lists, preset.several), None
    folders = sorted({preset.media[Kind(row["kind"])] for row in rows if preset.media})
    place.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        tars = {
            name: stack.enter_context(closing(TarShards(place.folder / name, _SAMPLES_PER_TAR, media=True)))
            for name in dict.fromkeys(row["tars"] for row in rows if preset.tars)
        }
        written: list[tuple[str | None, Row]] = []
        for done, row in enumerate(map(place.cut, rows), 1):
            made = row.pop("made", None)
            media = preset.media.get(Kind(row["kind"])) if preset.media else None
            if media is not None and preset.tars:
                shown = {name: value for name, value in row.items() if name not in _NOT_SHOWN}
                tars[row["tars"]].add([{**shown, "path": str(made or row["path"])}])
                if made:
                    made.unlink()
            elif media is not None:
                name = f"{sample_key(row['id'])}{PurePosixPath(row['path']).suffix.lower()}"
                row |= {"name": name, "file": f"{media}/{name}"}
                _place_file(made or Path(row["path"]), place, row["file"], link if made is None else None)
                if sidecar:
                    (place.folder / media / name).with_suffix(sidecar).write_text(
                        row["text"], encoding="utf-8"
                    )
            written.append((media, row))
            yield done
    for one in lists:
        for folder in folders if "{folder}" in one.file else [None]:
            listed = [row for media, row in written if folder in (None, media)]
            write_list(place.folder / one.file.format(folder=folder), one, listed)
    if preset.media and (cuts := place.folder / "cuts").exists():
        cuts.rmdir()
    for name, template in preset.extra.items():
        (place.folder / name).write_text(template.format(folder=place.published))


def _place_file(source: Path, place: _Place, name: str, link: Link | None) -> None:
    target = place.folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if link is None:
        source.rename(target)
    elif link is Link.SYMLINK:
        target.symlink_to(source)
    elif link is Link.HARDLINK:
        os.link(source, target)
    elif not _taken_over(source, place, name, target):
        shutil.copy2(source, target)


def _taken_over(source: Path, place: _Place, name: str, target: Path) -> bool:
    """Is the copy that the export before made still right? Then it is linked, not copied again."""
    before = place.before / name if place.before is not None else None
    if before is None or before.is_symlink() or not before.is_file():
        return False
    old, new = before.stat(), source.stat()
    if (old.st_size, old.st_mtime_ns) != (new.st_size, new.st_mtime_ns) or old.st_ino == new.st_ino:
        return False
    os.link(before, target)
    return True


def _use(
    preset: Preset, name: str, folder: str, counts: Mapping[str, int], demo_models: Sequence[str]
) -> str:
    clips = ", ".join(f"{count} clips in {split}" for split, count in counts.items())
    warning = (
        f"**Not for training:** {', '.join(demo_models)} used a demonstration model.\n\n"
        if demo_models
        else ""
    )
    first = f"{folder}/train" if len(counts) > 1 else folder
    command = preset.use.format(folder=first)
    return f"# {name}: {clips}\n\n{warning}For {preset.tools}.\n\n```\n{command}\n```\n"
