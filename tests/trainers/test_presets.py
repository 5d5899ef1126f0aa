"""Every preset is read as its tool reads it: each clip's file with its own caption, none lost, none doubled."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from resources.dataset.export import NothingToExportError
from resources.dataset.export_set import Captions, ExportSet, Link
from resources.dataset.filters import ClipFilters, FilterError
from resources.dataset.lists import write_list
from resources.dataset.preset_export import PresetExport, export_preset
from resources.dataset.presets import presets
from tests.dataset.collection import Collection, clip
from tests.trainers.conftest import FILES, TEXTS
from tests.trainers.readers import READERS, captions_json


def export(
    collection: Collection, preset: str, filters: ClipFilters | None = None, **options
) -> PresetExport:
    wanted = ExportSet(name=preset.replace("-", "_"), preset=preset, **options)
    return export_preset(collection.warehouse, collection.lake.folder("exports"), wanted, filters)


def read(collection: Collection, preset: str, part: str = "") -> dict[str, list[str]]:
    samples = list(READERS[preset](collection.root / "exports" / preset.replace("-", "_") / part))
    assert len(samples) == len({content for content, _ in samples}), "no clip twice"
    return dict(samples)


def test_every_preset_has_a_reader() -> None:
    assert set(READERS) == set(presets())


@pytest.mark.parametrize("preset", sorted(READERS))
def test_each_file_comes_with_its_caption(preset: str, collection: Collection) -> None:
    made = export(collection, preset)
    only = presets()[preset].only
    expected = {
        clip_id: [TEXTS[clip_id]]
        for clip_id, name in FILES.items()
        if (not only or Path(name).suffix.lower() in only)
        and not (preset == "cogvideo" and clip_id == "picture")
    }
    if preset == "cogvideo":
        expected = {
            clip_id: [" ".join(said.split()) for said in texts] for clip_id, texts in expected.items()
        }
    assert read(collection, preset) == expected
    use = (collection.root / "exports" / preset.replace("-", "_") / "USE.md").read_text()
    assert str(collection.root / "exports" / preset.replace("-", "_")) in use
    assert sum(made.rows.values()) + sum(made.left_out.values()) == len(TEXTS)
    if presets()[preset].media:
        assert made.left_out["the file is gone"] == 1


def test_all_captions_of_a_clip_where_the_tool_takes_several(collection: Collection) -> None:
    export(collection, "open-sora-plan", captions=Captions.ALL)
    assert read(collection, "open-sora-plan")["plain"] == [TEXTS["plain"], "Another caption of plain."]
    export(collection, "sidecar", captions=Captions.ALL)
    said = dict(captions_json(collection.root / "exports" / "sidecar"))
    assert said["paragraphs"] == [TEXTS["paragraphs"], "Another caption of paragraphs."]


@pytest.mark.parametrize("link", Link)
def test_media_are_linked_or_copied_as_wanted(link: Link, collection: Collection, clips: Path) -> None:
    export(collection, "diffsynth", link=link)
    media = collection.root / "exports" / "diffsynth" / "media" / "plain.mp4"
    assert media.is_symlink() == (link is Link.SYMLINK)
    assert media.samefile(clips / FILES["plain"]) == (link is not Link.COPY)
    assert media.read_text() == "plain"


def test_what_is_not_new_is_not_written_again(collection: Collection) -> None:
    first = export(collection, "sidecar")
    published = (collection.root / "exports" / "sidecar").resolve()
    second = export(collection, "sidecar")
    assert (first.written, second.written) == (True, False)
    assert (collection.root / "exports" / "sidecar").resolve() == published
    assert export(collection, "sidecar", head=1).written


def test_copies_are_taken_over_where_a_shard_is_added(collection: Collection, clips: Path) -> None:
    export(collection, "ltx", link=Link.COPY)
    copy = collection.root / "exports" / "ltx" / "media" / "plain.mp4"
    before = copy.stat().st_ino
    collection.add_shard("shard-00001", [clip("new", path=clips / FILES["film"])])
    collection.annotate("captions_pllava", lambda one: TEXTS.get(one.id, "New."))
    collection.merge()
    assert export(collection, "ltx", link=Link.COPY).written
    assert copy.stat().st_ino == before
    assert copy.with_name("new.mkv").read_text() == "film"


def test_one_content_is_never_on_both_sides_of_a_split(collection: Collection, clips: Path) -> None:
    many = [
        clip(f"c{n}-{twin}", path=clips / FILES["plain"], content_id=f"x{n}")
        for n in range(60)
        for twin in "ab"
    ]
    collection.add_shard("shard-00001", many)
    collection.annotate("captions_pllava", lambda one: TEXTS.get(one.id, "Twin."))
    collection.merge()
    made = export(collection, "huggingface", val=0.3, filters=ClipFilters(where="starts_with(id, 'c')"))
    assert sum(made.rows.values()) == 120
    sides = {
        part: {
            json.loads(line)["file_name"].partition("-")[0]
            for line in (collection.root / "exports/huggingface" / part / "videos/metadata.jsonl")
            .read_text()
            .split("\n")
            if line
        }
        for part in ("train", "val")
    }
    assert sides["train"].isdisjoint(sides["val"])
    assert 5 < len(sides["val"]) < 35


def test_a_seed_draws_the_same_clips_again(collection: Collection) -> None:
    drawn = []
    for seed in (1, 1, 2, 3, 4):
        export(collection, "open-sora", shuffle=True, seed=seed, head=3)
        drawn.append(list(read(collection, "open-sora")))
    assert drawn[0] == drawn[1]
    assert len({tuple(one) for one in drawn}) > 1


def test_a_wrong_condition_is_told_and_an_empty_export_is_refused(collection: Collection) -> None:
    with pytest.raises(FilterError, match=r"where: .*no_such_column"):
        export(collection, "sidecar", filters=ClipFilters(where="no_such_column > 3"))
    with pytest.raises(
        NothingToExportError, match=r"no clip is left for sidecar: 6 filters; the last export stays"
    ):
        export(collection, "sidecar", filters=ClipFilters(where="num_frames > 10000"))


KILLED = """
import os, sys, pathlib
from resources.dataset import preset_export
from tests.dataset.collection import Collection
from resources.dataset.export_set import ExportSet
place = preset_export._place_file
def slowly(*arguments):
    place(*arguments)
    pathlib.Path(sys.argv[2]).touch()
    import time; time.sleep(600)
preset_export._place_file = slowly
it = Collection(pathlib.Path(sys.argv[1]))
wanted = ExportSet(name="sidecar", preset="sidecar", head=2)
preset_export.export_preset(it.warehouse, it.lake.folder("exports"), wanted)
"""


def test_a_killed_export_leaves_the_old_one_whole(collection: Collection, tmp_path: Path) -> None:
    export(collection, "sidecar")
    before = read(collection, "sidecar")
    begun = tmp_path / "begun"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(collection.root), str(begun)])
    try:
        deadline = time.monotonic() + 240
        while not begun.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert read(collection, "sidecar") == before
    export(collection, "sidecar", head=2)
    assert len(read(collection, "sidecar")) == 2
    versions = [one for one in (collection.root / "exports/.versions/sidecar").iterdir() if one.is_dir()]
    assert len(versions) == 1, "what the killed export left is gone"


def test_a_column_without_a_value_in_the_first_rows_has_its_type(tmp_path: Path) -> None:
    [listing] = presets()["simpletuner"].lists
    row = dict.fromkeys(("file", "name", "text", "kind", "width", "height", "num_frames"), 1)
    rows = [{**row, "fps": 24.0 if number == 10_000 else None} for number in range(10_001)]
    write_list(tmp_path / "list.parquet", listing, rows)
    fps = pq.read_table(tmp_path / "list.parquet")["fps"].to_pylist()
    assert (len(fps), fps[0], fps[-1]) == (10_001, None, 24.0)


def test_a_type_of_file_has_one_folder_of_tars_on_both_sides_of_a_split(
    collection: Collection, clips: Path
) -> None:
    many = [clip(f"m{n}", path=clips / FILES["film"], content_id=f"y{n}") for n in range(40)]
    collection.add_shard("shard-00001", many)
    collection.annotate("captions_pllava", lambda one: TEXTS.get(one.id, "Many."))
    collection.merge()
    export(collection, "webdataset", val=0.3)
    for tar in (collection.root / "exports" / "webdataset").glob("*/videos*/*.tar"):
        with tarfile.open(tar) as archive:
            types = {Path(name).suffix for name in archive.getnames()} - {".json", ".txt"}
        assert types == ({".mkv"} if tar.parent.name == "videos" else {".mp4"})
