"""Each export read as its tool documents the format: (content of the media file, captions) for every sample."""

import csv
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

Sample = tuple[str, list[str]]
Reader = Callable[[Path], Iterator[Sample]]


def sidecar(root: Path) -> Iterator[Sample]:
    """Folders with a file of the same name and the suffix .txt beside each clip."""
    for folder in ("videos", "images"):
        for media in sorted((root / folder).glob("*")):
            if media.suffix != ".txt":
                yield media.read_text(), [media.with_suffix(".txt").read_text()]


def captions_json(root: Path) -> Iterator[Sample]:
    """diffusion-pipe: captions.json with a list of captions for each file name."""
    for folder in ("videos", "images"):
        for name, captions in json.loads((root / folder / "captions.json").read_text()).items():
            yield (root / folder / name).read_text(), captions


def huggingface(root: Path) -> Iterator[Sample]:
    """metadata.jsonl in each folder; file_name is relative to it."""
    for folder in ("videos", "images"):
        for line in (root / folder / "metadata.jsonl").read_text().split("\n"):
            if line:
                row = json.loads(line)
                yield (root / folder / row["file_name"]).read_text(), [row["text"]]


def webdataset(root: Path) -> Iterator[Sample]:
    """Tars of one kind; the files of a sample share the name before the first dot."""
    for tar in sorted(root.glob("*/shard-*.tar")):
        samples: dict[str, dict[str, bytes]] = {}
        with tarfile.open(tar) as archive:
            for member in archive:
                key, _, suffix = member.name.partition(".")
                file = archive.extractfile(member)
                assert file is not None
                samples.setdefault(key, {})[suffix] = file.read()
        for sample in samples.values():
            [media] = [sample[suffix] for suffix in sample if suffix not in ("json", "txt")]
            assert json.loads(sample["json"])["text"] == sample["txt"].decode()
            yield media.decode(), [sample["txt"].decode()]


def table(rows: list[dict[str, Any]], root: Path, file: str, text: str) -> Iterator[Sample]:
    for row in rows:
        said = row[text]
        yield (root / row[file]).read_text(), said if isinstance(said, list) else [said]


def diffsynth(root: Path) -> Iterator[Sample]:
    with open(root / "metadata.csv", newline="", encoding="utf-8") as file:
        yield from table(list(csv.DictReader(file)), root, "video", "prompt")


def videox_fun(root: Path) -> Iterator[Sample]:
    rows = json.loads((root / "metadata.json").read_text())
    assert {row["type"] for row in rows} == {"video", "image"}, "a missing type counts as an image"
    yield from table(rows, root, "file_path", "text")


def open_sora_plan(root: Path) -> Iterator[Sample]:
    """data.txt names a root and an annotation file; each entry has nested sizes and a list of captions."""
    folder, annotations = (root / "data.txt").read_text().strip().split(",")
    rows = json.loads(Path(annotations).read_text())
    assert all(row["resolution"]["height"] and row["duration"] and row["fps"] for row in rows)
    yield from table(rows, Path(folder), "path", "cap")


def ltx(root: Path) -> Iterator[Sample]:
    rows = [json.loads(line) for line in (root / "dataset.jsonl").read_text().split("\n") if line]
    assert not any(Path(row["media_path"]).is_absolute() for row in rows), "LTX wants paths below the list"
    yield from table(rows, root, "media_path", "caption")


def simpletuner(root: Path) -> Iterator[Sample]:
    [backend] = json.loads((root / "multidatabackend.json").read_text())
    rows = pq.read_table(backend["parquet"]["path"]).to_pylist()
    yield from table(rows, Path(backend["instance_data_dir"]), "id", "caption")


def cogvideo(root: Path) -> Iterator[Sample]:
    """Two lists whose lines belong together."""
    prompts = (root / "prompts.txt").read_text().splitlines()
    videos = (root / "videos.txt").read_text().splitlines()
    for prompt, video in zip(prompts, videos, strict=True):
        yield (root / video).read_text(), [prompt]


def open_sora(root: Path) -> Iterator[Sample]:
    with open(root / "meta.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert all(int(row["num_frames"]) and int(row["height"]) and int(row["width"]) for row in rows)
    yield from ((Path(row["path"]).read_text(), [row["text"]]) for row in rows if Path(row["path"]).exists())


READERS: dict[str, Reader] = {
    "sidecar": sidecar,
    "huggingface": huggingface,
    "webdataset": webdataset,
    "diffsynth": diffsynth,
    "videox-fun": videox_fun,
    "open-sora-plan": open_sora_plan,
    "fastvideo": open_sora_plan,
    "ltx": ltx,
    "simpletuner": simpletuner,
    "cogvideo": cogvideo,
    "open-sora": open_sora,
}
