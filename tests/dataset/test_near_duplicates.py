"""Near-duplicates from measured clips in the lake to what the export leaves out."""

import json
from pathlib import Path

import numpy as np
import pytest

from resources.annotation.clip import Kind
from resources.annotation.outcome import Answer
from resources.dataset.export import export_training_set
from resources.dataset.export_set import ExportFormat, ExportOptions, ExportSet
from resources.dataset.filters import ClipFilters, FilterError
from resources.dataset.near_duplicates import find_near_duplicates
from resources.dataset.preset_export import export_preset
from resources.measures.kind import declare
from tests.dataset.collection import DECLARED, Collection, clip

RNG = np.random.default_rng(0)
TAKES = {name: RNG.integers(1, 2**63, 64, dtype=np.uint64) for name in ("one", "two")}
# id: take, height and width, seconds, sharpness
CLIPS = {
    "a": ("one", (360, 640), 4.0, 50.0),
    "b": ("one", (720, 1280), 4.0, 50.0),
    "c": ("one", (720, 1280), 4.2, 10.0),
    "d": ("two", (720, 1280), 4.0, 10.0),
    "e": ("two", (720, 1280), 4.0, 90.0),
    "f": ("one", (720, 1280), 40.0, 90.0),
}


def signature(name: str) -> str:
    return TAKES[name].astype(">u8").tobytes().hex()


@pytest.fixture
def measured(tmp_path: Path) -> Collection:
    """Six clips of two takes, an image that is a picture of one of them, and a clip that was not measured."""
    made = Collection(tmp_path, (*DECLARED, declare("measures")))
    clips = [
        clip(id_, height=size[0], width=size[1], duration_s=seconds)
        for id_, (_, size, seconds, _) in CLIPS.items()
    ]
    made.add_shard("shard-00000", [*clips, clip("photo", kind=Kind.IMAGE, duration_s=None), clip("unknown")])
    made.annotate("captions_pllava", lambda one: f"A cat in {one.id}.")

    def say(one):
        if one.id == "unknown":
            return Answer("{}")
        if one.id == "photo":
            return Answer("{}", details={"signature": signature("one")[:64], "sharpness": 1.0})
        take, _, _, sharpness = CLIPS[one.id]
        return Answer("{}", details={"signature": signature(take), "sharpness": sharpness})

    made.annotate("measures", say)
    made.merge()
    return made


def exported(collection: Collection, filters: ClipFilters) -> list[str]:
    options = ExportOptions(**filters.active, formats=[ExportFormat.CSV])
    made = export_training_set(
        collection.warehouse, collection.lake.folder("exports"), options, lambda line: None
    )
    record = json.loads((Path(made.folder.path) / "export.json").read_text())
    assert record["filters"] == filters.active
    return [
        Path(line.split(",")[0].strip('"')).stem
        for line in (Path(made.folder.path) / "training_set.csv").read_text().splitlines()[1:]
    ]


def test_groups_name_the_largest_then_longest_then_sharpest(measured: Collection) -> None:
    with measured.warehouse.snapshot() as connection:
        rows = {row["id"]: row for row in find_near_duplicates(connection).to_pylist()}
    assert {id_: row["near_duplicate_of"] for id_, row in rows.items()} == {
        "a": "c",
        "b": "c",
        "c": None,
        "d": "e",
        "e": None,
    }
    assert {row["duplicate_group"] for row in rows.values()} == {"c", "e"}


def test_the_export_leaves_them_out(measured: Collection) -> None:
    assert exported(measured, ClipFilters(drop_near_duplicates=True)) == ["c", "e", "f", "photo", "unknown"]


def test_what_is_kept_is_chosen_among_the_clips_that_pass_the_other_filters(measured: Collection) -> None:
    filters = ClipFilters(max_duration_s=4.1, drop_near_duplicates=True)
    assert exported(measured, filters) == ["b", "e", "unknown"]


def test_without_measures_it_says_how_to_have_them(tmp_path: Path) -> None:
    made = Collection(tmp_path)
    made.add_shard("shard-00000", [clip("a")])
    made.annotate("captions_pllava", lambda one: "A cat.")
    made.merge()
    with pytest.raises(FilterError, match="measures: true"):
        exported(made, ClipFilters(drop_near_duplicates=True))


@pytest.mark.parametrize("val", [0.2, 0.4, 0.6])
def test_clips_that_show_the_same_are_on_one_side_of_a_split(measured: Collection, val: float) -> None:
    wanted = ExportSet(name="split", preset="open-sora", val=val)
    export_preset(measured.warehouse, measured.lake.folder("exports"), wanted)
    folder = measured.root / "exports" / "split"
    sides = {file.parent.name: file.read_text() for file in folder.rglob("meta.csv")}
    for group in ("abc", "de"):
        assert len({side for side, text in sides.items() for name in group if f"/{name}.mp4" in text}) == 1
