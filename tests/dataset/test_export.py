import csv
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from upath import UPath

from resources.dataset.export import ExportFormat, ExportOptions, NothingToExportError, export_training_set
from resources.dataset.filters import ClipFilters, FilterError
from resources.dataset.reading import WarehouseEmptyError
from tests.dataset.collection import Collection

SEED_COLUMNS = [
    "path",
    "text",
    "num_frames",
    "fps",
    "height",
    "width",
    "aspect_ratio",
    "resolution",
    "text_len",
]


def export(collection: Collection, options: ExportOptions | None = None):
    return export_training_set(
        collection.warehouse, collection.lake.folder("exports"), options, log=lambda _: None
    )


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def everything(captioned_once: Collection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an export of all clips in all formats."""
    exports = UPath(tmp_path_factory.mktemp("exports"))
    made = export_training_set(captioned_once.warehouse, exports, log=lambda _: None)
    return Path(made.published.name.path)


def test_csv_has_exactly_the_seeds_training_columns(everything: Path) -> None:
    assert (everything / "training_set.csv").read_text().splitlines()[0] == ",".join(SEED_COLUMNS)
    rows = rows_of(everything / "training_set.csv")
    assert [Path(row["path"]).stem for row in rows] == ["a1", "a2", "a3", "b1", "b3"]
    assert rows[0]["text"] == "The video shows a red ball a1 rolling to the left."
    assert rows[1] == {
        "path": "/clips/a2.mp4", "text": "Ball a2.", "num_frames": "10", "fps": "24", "height": "1080",
        "width": "1920", "aspect_ratio": "0.5625", "resolution": "2073600", "text_len": "2",
    }  # fmt: skip


def test_parquet_is_sharded_and_explains_itself(captioned: Collection) -> None:
    options = ExportOptions(ClipFilters(fmin=1), rows_per_file=2)
    folder = Path(export(captioned, options).published.name.path)
    files = sorted((folder / "data").iterdir())
    assert [file.name for file in files] == [f"train-0000{i}-of-00003.parquet" for i in range(3)]
    assert [pq.read_metadata(file).num_rows for file in files] == [2, 2, 1]
    schema = pq.read_schema(files[0])
    assert schema.names == SEED_COLUMNS
    assert schema.field("resolution").metadata[b"description"].decode() == "height × width in pixels"
    assert json.loads(schema.metadata[b"vidcap.filters"]) == {"fmin": 1}
    recipes = json.loads(schema.metadata[b"vidcap.recipes"])
    assert {recipe["annotator"]: recipe["recipe"]["model"] for recipe in recipes}["captions_pllava"] == "tiny"


@pytest.mark.parametrize(
    ("step", "column", "values"),
    [
        ("meta", "num_frames", ["48", "10", "48", "48", "1"]),
        ("meta_cmotion", "cmotion", ["pan_left+zoom_in", "static", "static", "static", "static"]),
        ("meta_objects", "objects", ["red ball, field"] * 4 + ["NONE_FOUND"]),
        ("meta_actions", "actions", ["rolling"] * 5),
    ],
)
def test_csv_of_a_step(everything: Path, step: str, column: str, values: list[str]) -> None:
    rows = rows_of(everything / f"{step}.csv")
    assert [row[column] for row in rows] == values
    assert list(rows[0])[:8] == [
        "path",
        "id",
        "num_frames",
        "height",
        "width",
        "aspect_ratio",
        "fps",
        "resolution",
    ]


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        (ClipFilters(), ["a1", "a2", "a3", "b1", "b3"]),
        (ClipFilters(fmin=10, fmax=47), ["a2"]),
        (ClipFilters(min_resolution=1_000_000), ["a2"]),
        (ClipFilters(max_resolution=1_000_000), ["a1", "a3", "b1", "b3"]),
        (ClipFilters(min_duration_s=1), ["a1", "a2", "a3", "b1"]),
        (ClipFilters(max_text_len=3), ["a2"]),
        (ClipFilters(kinds=["image"]), ["b3"]),
        (ClipFilters(captioners=["captions_gpt4v"]), ["a2"]),
        (ClipFilters(required=["captions_pllava", "captions_llava"]), ["a1", "a3", "b1", "b3"]),
        (ClipFilters(required=["captions_gpt4v"]), ["a2"]),
        (ClipFilters(camera_motion=["zoom_in", "zoom_out"]), ["a1"]),
        (ClipFilters(drop_duplicates=True), ["a1", "a2", "a3", "b3"]),
        (ClipFilters(languages=["en"]), ["a1", "a3", "b1", "b3"]),
    ],
)
def test_filters(captioned: Collection, filters: ClipFilters, ids: list[str]) -> None:
    made = export(captioned, ExportOptions(filters, formats=(ExportFormat.CSV,)))
    folder = Path(made.published.name.path)
    assert [Path(row["path"]).stem for row in rows_of(folder / "training_set.csv")] == ids
    record = json.loads((folder / "export.json").read_text())
    assert record["filters"] == filters.active
    assert (record["rows"], record["clips"]) == (len(ids), 6)


@pytest.mark.parametrize(
    "filters", [ClipFilters(max_aspect_ratio=0.56), ClipFilters(languages=["de"])], ids=["shape", "language"]
)
def test_filters_that_leave_nothing_keep_the_last_training_set(
    captioned: Collection, filters: ClipFilters
) -> None:
    before = export(captioned)
    with pytest.raises(NothingToExportError, match="none of the 6 clips"):
        export(captioned, ExportOptions(filters))
    assert json.loads((Path(before.published.name.path) / "export.json").read_text())["rows"] == before.rows


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"required": ["captions_blip"]}, "required: there is no captions_blip"),
        ({"captioners": ["llava"]}, "captioners: there is no llava; there are captions_pllava"),
        ({"camera_motion": ["sideways"]}, "camera_motion: there is no sideways"),
        ({"fmin": 10, "fmax": 9}, "fmin 10 is above fmax 9"),
    ],
)
def test_filter_that_no_clip_can_pass_is_refused(wrong: dict, message: str) -> None:
    with pytest.raises(FilterError, match=message):
        ClipFilters(**wrong)


def test_unchanged_export_is_left_alone_and_changed_one_replaced_whole(captioned: Collection) -> None:
    first = export(captioned)
    name = Path(first.published.name.path)
    pinned = name.resolve()
    again = export(captioned)
    assert (again.published.changed, again.content_hash) == (False, first.content_hash)
    assert name.resolve() == pinned
    captioned.annotate("captions_pllava", lambda one: f"Another view of {one.id}.", model="other")
    captioned.merge()
    third = export(captioned)
    assert third.published.changed
    assert third.content_hash != first.content_hash
    assert "Another view of a1." in (name / "training_set.csv").read_text()
    assert "a red ball a1" in (pinned / "training_set.csv").read_text()


def test_failed_export_leaves_the_old_one_and_no_debris(captioned: Collection) -> None:
    made = export(captioned)
    name = Path(made.published.name.path)
    with pytest.raises(FileNotFoundError):
        export(captioned, ExportOptions(media=True))
    assert name.resolve().name == made.published.version
    assert sorted(path.name for path in name.resolve().parent.iterdir()) == sorted(
        ["lock", made.published.version]
    )


def test_foreign_folder_is_not_overwritten(captioned: Collection) -> None:
    os.makedirs(captioned.root / "exports" / "training_set")
    with pytest.raises(Exception, match="was not put there by vidcap"):
        export(captioned)


def test_nothing_merged_yet_says_what_to_run(collection: Collection) -> None:
    with pytest.raises(WarehouseEmptyError, match="run caption_videos"):
        export(collection)


def test_order_of_merging_does_not_change_the_export(captioned: Collection) -> None:
    first = export(captioned)
    os.remove(captioned.root / "vidcap.duckdb")
    captioned.merge(["shard-00001", "shard-00000", "shard-00001"])
    second = export(captioned)
    assert (second.content_hash, second.published.changed) == (first.content_hash, False)
