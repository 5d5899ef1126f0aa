"""The exports opened by the packages themselves, as far as they install here; docs/export.md says which and how."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import pytest

from resources.annotation.clip import Kind
from resources.dataset.export import export_training_set
from resources.dataset.export_set import ExportSet
from resources.dataset.preset_export import export_preset
from resources.dataset.presets import presets
from tests.dataset.collection import Collection, clip

DOCS = Path(__file__).parents[2] / "docs" / "export.md"
TEXTS = {
    "plain": "A red ball rolls to the left.",
    "list/00.1": 'A "quoted", comma\'d caption.',
    "paragraphs": "First paragraph.\n\nSecond paragraph.",
    "film": "A film in another container.",
    "picture": "Ein grünes Quadrat; 一只猫.",
}
PACKAGES = {
    "huggingface": ("datasets",),
    "webdataset": ("webdataset", "datasets", "megatron-energon"),
}
"""Which packages open a preset in this file; the others are read by tests/trainers/readers.py alone."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, write_video) -> Path:
    """A collection of real videos, two files of one name among them, exported for every package here."""
    from PIL import Image

    root = tmp_path_factory.mktemp("a home")
    files = {
        "plain": write_video(root / "a" / "000.mp4", seed=1),
        "list/00.1": write_video(root / "b" / "000.mp4", seed=2),
        "paragraphs": write_video(root / "a" / "001.MP4", seed=3),
        "film": write_video(root / "a" / "film.mkv", seed=4),
        "picture": root / "b" / "picture.png",
    }
    Image.new("RGB", (32, 32), "green").save(files["picture"])
    made = Collection(root / "home")
    kinds = {name: Kind.IMAGE if name == "picture" else Kind.VIDEO for name in files}
    made.add_shard("shard-00000", [clip(name, path=path, kind=kinds[name]) for name, path in files.items()])
    made.annotate("captions_pllava", lambda one: TEXTS[one.id])
    made.merge()
    exports = made.lake.folder("exports")
    for preset in PACKAGES:
        export_preset(made.warehouse, exports, ExportSet(name=preset, preset=preset))
    export_training_set(made.warehouse, exports, log=lambda line: None)
    return root / "home" / "exports"


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))


def load(module: str, cache: Path, **options):
    from datasets import load_dataset

    return load_dataset(module, split="train", cache_dir=str(cache), **options)


def test_datasets_reads_videos_and_images_by_their_folders(home: Path, tmp_path: Path) -> None:
    from datasets import Image, Video

    folder = home / "huggingface"
    videos = load("videofolder", tmp_path, data_dir=str(folder / "videos"))
    videos = videos.cast_column("video", Video(decode=False))
    images = load("imagefolder", tmp_path, data_dir=str(folder / "images"))
    images = images.cast_column("image", Image(decode=False))
    found = {row["text"]: Path(row["video"]["path"]) for row in videos}
    found |= {row["text"]: Path(row["image"]["path"]) for row in images}
    names = {"list/00.1": "list%2F00%2E1"}
    assert {text: path.stem for text, path in found.items()} == {
        text: names.get(name, name) for name, text in TEXTS.items()
    }
    assert {row["num_frames"] for row in videos} == {48}


def test_datasets_reads_the_tars(home: Path, tmp_path: Path) -> None:
    found = {}
    for folder, suffix in (("videos", "mp4"), ("videos-mkv", "mkv"), ("images", "png")):
        rows = load("webdataset", tmp_path, data_files=str(home / "webdataset" / folder / "*.tar"))
        for row in rows.with_format("arrow"):
            [row] = row.to_pylist()
            assert row["json"]["text"] == row["txt"]
            assert row[suffix]["bytes"] == Path(row["json"]["path"]).read_bytes()
            found[row["json"]["id"]] = row["txt"]
    assert found == TEXTS


def test_datasets_reads_the_training_set_and_its_tars(home: Path, tmp_path: Path) -> None:
    folder = home / "training_set"
    assert sorted(load(str(folder), tmp_path)["text"]) == sorted(TEXTS.values())
    tars = load("webdataset", tmp_path, data_dir=str(folder / "webdataset"))
    assert sorted(tars["txt"]) == sorted(TEXTS.values())


def test_webdataset_reads_the_tars(home: Path) -> None:
    import webdataset

    found = {}
    for tar in sorted(home.glob("webdataset/*/shard-*.tar")):
        for sample in webdataset.WebDataset(str(tar), shardshuffle=False):
            content = json.loads(sample["json"])
            [media] = sample.keys() & {"mp4", "mkv", "png"}
            assert sample[media] == Path(content["path"]).read_bytes()
            found[content["id"]] = sample["txt"].decode()
    assert found == TEXTS


ENERGON = "__module__: megatron.energon\n__class__: CrudeWebdataset\nauto_decode: false\n"


def test_energon_reads_the_tars_once_they_are_prepared(home: Path) -> None:
    from megatron.energon import (
        Cooker,
        DefaultTaskEncoder,
        WorkerConfig,
        basic_sample_keys,
        get_loader,
        get_train_dataset,
    )

    class Plain(DefaultTaskEncoder):
        cookers = (Cooker(lambda sample: {**sample, **basic_sample_keys(sample)}),)

        def encode_sample(self, sample):
            return sample

        def batch(self, samples):
            return samples[0]

        def encode_batch(self, batch):
            return batch

    folder = home / "webdataset" / "videos"
    program = "from megatron.energon.cli.main import main; main()"
    command = [sys.executable, "-c", program, "prepare", str(folder)]
    subprocess.run(command, input="1,0,0\nn\nn\n", text=True, check=True, capture_output=True)
    (folder / ".nv-meta" / "dataset.yaml").write_text(ENERGON)
    samples = get_train_dataset(
        folder,
        batch_size=1,
        shuffle_buffer_size=None,
        max_samples_per_sequence=None,
        worker_config=WorkerConfig(rank=0, world_size=1, num_workers=0),
        task_encoder=Plain(),
    )
    found = {}
    for sample in islice(get_loader(samples), 3):
        content = json.loads(sample["json"])
        assert sample["mp4"] == Path(content["path"]).read_bytes()
        found[content["id"]] = sample["txt"].decode()
    assert found == {name: TEXTS[name] for name in ("plain", "list/00.1", "paragraphs")}


def test_the_matrix_in_the_docs_is_what_is_proven_here() -> None:
    text = DOCS.read_text()
    rows = dict(re.findall(r"^\| `([\w-]+)`[^|]* \|.*\| ([^|]+) \|$", text, re.MULTILINE))
    for preset in set(presets()) - {"fastvideo"}:
        opened = [f"{name} {'.'.join(version(name).split('.')[:2])}" for name in PACKAGES.get(preset, ())]
        assert rows[preset] == ", ".join([*opened, "a reader"]), preset
