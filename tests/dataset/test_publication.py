import json
import subprocess
import sys
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from upath import UPath

from resources.dataset.export import export_training_set
from resources.dataset.export_set import ExportOptions
from resources.dataset.filters import ClipFilters
from resources.dataset.publication import publication
from resources.dataset.webdataset import sample_key
from tests.dataset.collection import Collection


def publish(parent: UPath, text: str) -> None:
    with publication(parent, "set") as built:
        for name in ("one", "two"):
            (built / name).write_text(text)


def test_reader_sees_the_old_version_or_the_new_one(tmp_path: Path) -> None:
    """A reader that resolves the name once finds both files, and both of the same version, or sees it taken away."""
    parent, stop, seen = UPath(tmp_path), threading.Event(), set()
    publish(parent, "0")

    def read() -> None:
        while not stop.is_set():
            folder = (tmp_path / "set").resolve()
            try:
                seen.add(((folder / "one").read_text(), (folder / "two").read_text()))
            except FileNotFoundError:
                continue  # taken away by the next one

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 40):
        publish(parent, str(number))
    stop.set()
    reader.join()
    assert seen
    assert all(one == two for one, two in seen)
    assert (tmp_path / "set" / "one").read_text() == "39"


def test_killed_export_leaves_the_old_version_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    parent = UPath(tmp_path)
    publish(parent, "old")
    script = (
        "import os, signal, sys; from upath import UPath; from resources.dataset.publication import publication\n"
        "with publication(UPath(sys.argv[1]), 'set') as built:\n"
        "    (built / 'one').write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == -9
    assert (tmp_path / "set" / "one").read_text() == "old"
    publish(parent, "new")
    assert (tmp_path / "set" / "one").read_text() == "new"
    assert len([path for path in (tmp_path / ".versions" / "set").iterdir() if path.is_dir()]) == 1


def test_export_to_an_object_store(captioned: Collection) -> None:
    exports = UPath("memory://bucket/exports")
    export_training_set(captioned.warehouse, exports, log=lambda line: None)
    record = json.loads((exports / "training_set" / "export.json").read_text())
    assert record["rows"] == 5
    assert all((exports / "training_set" / name).exists() for name in record["files"])


@pytest.mark.parametrize(
    ("clip_id", "key"),
    [("3f00-2", "3f00-2"), ("a.b/c", "a%2Eb%2Fc"), ("ü", "ü"), ("100%", "100%25"), ("", "")],
)
def test_keys_of_samples_hold_no_dot_and_no_slash(clip_id: str, key: str) -> None:
    assert sample_key(clip_id) == key


def test_tars_with_media_hold_the_files(captioned: Collection, tmp_path: Path) -> None:
    clips = captioned.lake.clips("shard-00000")
    moved = []
    for one in clips:
        file = tmp_path / f"{one.id}.MP4"
        file.write_bytes(f"video {one.id}".encode())
        moved.append(replace(one, path=file))
    captioned.add_shard("shard-00000", moved)
    captioned.merge()
    filters = ClipFilters(
        captioners=["captions_pllava", "captions_gpt4v"], kinds=["video"], drop_duplicates=True
    )
    made = export_training_set(
        captioned.warehouse,
        captioned.lake.folder("exports"),
        ExportOptions(**filters.active, samples_per_tar=2, media=True),
        log=lambda line: None,
    )
    folder = Path(made.folder.path) / "webdataset"
    assert "files themselves are in the tars" in (folder.parent / "README.md").read_text()
    index = json.loads((folder.parent / "webdataset-index.json").read_text())
    assert [(shard["url"], shard["nsamples"]) for shard in index["shardlist"]] == [
        ("webdataset/shard-000000.tar", 2),
        ("webdataset/shard-000001.tar", 1),
    ]
    with tarfile.open(folder / "shard-000000.tar") as tar:
        assert tar.getnames() == ["a1.json", "a1.txt", "a1.mp4", "a2.json", "a2.txt", "a2.mp4"]
        assert tar.extractfile("a2.mp4").read() == b"video a2"
        assert json.load(tar.extractfile("a2.json"))["num_frames"] == 10
        assert {member.mtime for member in tar} == {0}
