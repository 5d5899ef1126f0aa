import csv
import json
import os
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from upath import UPath

from resources.annotation.declaration import Role
from resources.dataset.export import NothingToExportError, export_training_set
from resources.dataset.export_set import ExportFormat, ExportOptions
from resources.dataset.filters import ClipFilters, FilterError
from resources.dataset.publication import PublicationError
from resources.warehouse import WarehouseEmptyError
from tests.dataset.collection import DECLARED, Collection, clip, declared

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


def export(collection: Collection, options: ExportOptions | None = None, **more):
    return export_training_set(
        collection.warehouse, collection.lake.folder("exports"), options, log=lambda _: None, **more
    )


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def everything(captioned_once: Collection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an export of all clips in all formats."""
    exports = UPath(tmp_path_factory.mktemp("exports"))
    made = export_training_set(captioned_once.warehouse, exports, log=lambda _: None)
    return Path(made.folder.path)


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
    options = ExportOptions(fmin=1, rows_per_file=2)
    folder = Path(export(captioned, options).folder.path)
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
        (ClipFilters(languages=["en"]), ["a1", "a2", "a3", "b1", "b3"]),
        (ClipFilters(languages=["de"]), ["a2"]),
    ],
)
def test_filters(captioned: Collection, filters: ClipFilters, ids: list[str]) -> None:
    made = export(captioned, ExportOptions(**filters.active, formats=[ExportFormat.CSV]))
    folder = Path(made.folder.path)
    assert [Path(row["path"]).stem for row in rows_of(folder / "training_set.csv")] == ids
    record = json.loads((folder / "export.json").read_text())
    assert record["filters"] == filters.active
    assert (record["rows"], record["clips"]) == (len(ids), 6)


@pytest.mark.parametrize(
    "filters",
    [ClipFilters(max_aspect_ratio=0.56), ClipFilters(where="text_language = 'de'")],
    ids=["shape", "language"],
)
def test_filters_that_leave_nothing_keep_the_last_training_set(
    captioned: Collection, filters: ClipFilters
) -> None:
    before = export(captioned)
    with pytest.raises(NothingToExportError, match="none of the 6 clips"):
        export(captioned, ExportOptions(**filters.active))
    assert json.loads((Path(before.folder.path) / "export.json").read_text())["rows"] == before.rows


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"required": ["captions_blip"]}, "required: there is no captions_blip"),
        ({"captioners": ["llava"]}, "captioners: there is no llava; there are captions_pllava"),
        ({"camera_motion": ["sideways"]}, "camera_motion: there is no sideways"),
        ({"fmin": 10, "fmax": 9}, "fmin 10 is above fmax 9"),
    ],
)
def test_filter_that_no_clip_can_pass_is_refused(
    captioned_once: Collection, tmp_path: Path, wrong: dict, message: str
) -> None:
    with pytest.raises(FilterError, match=message):
        export_training_set(captioned_once.warehouse, UPath(tmp_path), ExportOptions(**wrong))


def test_an_export_takes_the_place_of_the_one_before(captioned: Collection) -> None:
    first, name = export(captioned), captioned.root / "exports" / "training_set"
    assert export(captioned).content_hash == first.content_hash
    captioned.annotate("captions_pllava", lambda one: f"Another view of {one.id}.", model="other")
    captioned.merge()
    assert export(captioned).content_hash != first.content_hash
    assert "Another view of a1." in (name / "training_set.csv").read_text()
    assert len([path for path in name.resolve().parent.iterdir() if path.is_dir()]) == 1


def test_failed_export_leaves_the_old_one_and_no_debris(captioned: Collection) -> None:
    name = Path(export(captioned).folder.path)
    before = name.resolve()
    with pytest.raises(FileNotFoundError):
        export(captioned, ExportOptions(media=True))
    assert name.resolve() == before
    assert [path for path in before.parent.iterdir() if path.is_dir()] == [before]


def test_scores_and_structured_answers_follow_the_training_columns(collection: Collection) -> None:
    collection.declared = (
        *DECLARED,
        declared("brightness", Role.SCORE, "brightness", "DOUBLE"),
        declared("parts", Role.STRUCTURED, "parts", "VARCHAR[]"),
    )
    collection.add_shard("shard-00000", [clip("a")])
    collection.annotate("captions_llava", lambda one: "A ball.")
    collection.annotate("brightness", lambda one: "0.25")
    collection.annotate("parts", lambda one: '["ball", "a \\"b\\""]')
    collection.merge()
    folder = Path(export(collection).folder.path)
    [row] = rows_of(folder / "training_set.csv")
    assert list(row) == [*SEED_COLUMNS, "brightness", "parts"]
    assert (row["brightness"], json.loads(row["parts"])) == ("0.25", ["ball", 'a "b"'])
    [table] = [pq.read_table(file) for file in (folder / "data").iterdir()]
    assert table["parts"].to_pylist() == [["ball", 'a "b"']]
    assert "| `brightness` | double |" in (folder / "README.md").read_text()


def test_a_text_whose_language_is_not_known_stays_and_is_counted(captioned: Collection) -> None:
    folder = Path(export(captioned, ExportOptions(languages=["en"])).folder.path)
    assert json.loads((folder / "export.json").read_text())["languages"] == {"en": 4, "not known": 1}
    assert "Languages of the texts: en 4, not known 1." in (folder / "README.md").read_text()


def test_words_of_demonstration_models_are_marked(captioned: Collection) -> None:
    folder = Path(export(captioned, demo_models=["captions_llava"]).folder.path)
    assert "**Not for training.** captions_llava used" in (folder / "README.md").read_text()
    assert json.loads((folder / "export.json").read_text())["demo_models"] == ["captions_llava"]


def test_foreign_folder_is_not_overwritten(captioned: Collection) -> None:
    os.makedirs(captioned.root / "exports" / "training_set")
    with pytest.raises(PublicationError, match="was not put there by vidcap"):
        export(captioned)


def test_nothing_merged_yet_says_what_to_run(collection: Collection) -> None:
    with pytest.raises(WarehouseEmptyError, match="run caption_videos"):
        export(collection)


def test_order_of_merging_does_not_change_the_export(captioned: Collection) -> None:
    first = export(captioned)
    os.remove(captioned.root / "vidcap.duckdb")
    captioned.merge(["shard-00001", "shard-00000", "shard-00001"])
    second = export(captioned)
    assert second.content_hash == first.content_hash


def test_the_page_on_open_sora_lists_the_columns_of_each_file(everything: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "coming-from-open-sora.md").read_text()
    listed = dict(re.findall(r"^\| `(\w+\.csv)` \| `([\w, ]+)` \|$", page, re.MULTILINE))
    found = {
        file.name: file.read_text().partition("\n")[0].replace(",", ", ") for file in everything.glob("*.csv")
    }
    assert listed == found
