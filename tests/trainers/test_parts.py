"""Clips that are parts of one film: each export shows its tool the part alone."""

import csv
import tarfile
from pathlib import Path

import numpy as np
import pytest

from resources.dataset.export import NothingToExportError, export_training_set
from resources.dataset.export_set import ExportFormat, ExportOptions, ExportSet
from resources.dataset.preset_export import export_preset
from resources.video.decode import sample_frames
from resources.video.sampling import FrameRule, RuleKind
from tests.dataset.collection import Collection, clip
from tests.trainers.readers import READERS
from tests.video.media import Recipe, read_numbers

EVERY = FrameRule(RuleKind.LINSPACE, 1000)
PARTS = {"a": (0.0, 1.2), "b": (1.2, 5.05), "c": (5.05, 9.0)}
NUMBERS = {"a": range(12), "b": range(12, 51), "c": range(51, 90)}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Recipe(numbers=range(90)).write(tmp_path_factory.mktemp("films") / "film.mkv")


@pytest.fixture
def collection(tmp_path: Path, film: Path) -> Collection:
    made = Collection(tmp_path / "home")
    parts = {name: {"start_s": start, "end_s": end} for name, (start, end) in PARTS.items()}
    made.add_shard("shard-00000", [clip(name, path=film, **part) for name, part in parts.items()])
    made.annotate("captions_pllava", lambda one: f"What is seen in {one.id}.")
    made.merge()
    return made


def export(collection: Collection, preset: str, **options) -> Path:
    wanted = ExportSet(name=preset.replace("-", "_"), preset=preset, **options)
    made = export_preset(collection.warehouse, collection.lake.folder("exports"), wanted)
    assert sum(made.rows.values()) == len(PARTS)
    return collection.root / "exports" / wanted.name


@pytest.mark.parametrize("preset", ["sidecar", "huggingface", "open-sora", "ltx"])
def test_the_file_of_a_part_shows_its_frames_and_no_others(preset: str, collection: Collection) -> None:
    folder = export(collection, preset)
    files = sorted(path for path in folder.rglob("*.mp4") if path.is_file())
    assert len(files) == len(PARTS)
    for file in files:
        frames = sample_frames(file, EVERY)
        assert read_numbers(frames.images) == list(NUMBERS[file.stem])
        assert np.allclose(np.diff([time or 0 for time in frames.times_s]), 0.1, atol=0.001)
    assert not [path for path in folder.rglob("*") if path.is_dir() and not any(path.iterdir())]


def test_tars_hold_the_parts(collection: Collection, tmp_path: Path) -> None:
    folder = export(collection, "webdataset")
    with tarfile.open(folder / "videos" / "shard-000000.tar") as tar:
        tar.extractall(tmp_path / "out", filter="data")
    for name, numbers in NUMBERS.items():
        assert read_numbers(sample_frames(tmp_path / "out" / f"{name}.mp4", EVERY).images) == list(numbers)
    assert not (folder / "cuts").exists()


def test_lists_name_the_cut_files(collection: Collection) -> None:
    folder = export(collection, "open-sora")
    with (
        (folder / "open-sora.csv").open()
        if (folder / "open-sora.csv").exists()
        else next(folder.glob("*.csv")).open() as file
    ):
        rows = list(csv.DictReader(file))
    assert sorted(Path(row["path"]).stem for row in rows) == sorted(PARTS)
    assert all(Path(row["path"]).is_file() for row in rows)


def test_parts_of_one_film_are_on_one_side(collection: Collection) -> None:
    wanted = ExportSet(name="split", preset="sidecar", val=0.5)
    made = export_preset(collection.warehouse, collection.lake.folder("exports"), wanted)
    assert list(made.rows.values()) == [3]


def test_the_training_set_says_which_part(collection: Collection, film: Path) -> None:
    exports = collection.lake.folder("exports")
    export_training_set(collection.warehouse, exports, log=lambda line: None)
    with (collection.root / "exports/training_set/training_set.csv").open() as file:
        rows = {row["text"][-2]: row for row in csv.DictReader(file)}
    for name, (start, end) in PARTS.items():
        assert (rows[name]["path"], float(rows[name]["start_s"]), float(rows[name]["end_s"])) == (
            str(film),
            start,
            end,
        )
    options = ExportOptions(formats=[ExportFormat.WEBDATASET], media=True)
    with pytest.raises(NothingToExportError, match="--for webdataset"):
        export_training_set(collection.warehouse, exports, options, log=lambda line: None)


def test_every_preset_takes_parts(collection: Collection) -> None:
    for preset in READERS:
        export(collection, preset)
