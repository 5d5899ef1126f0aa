"""Reading the files of a source: in children that may be killed, noted so that nothing is read twice."""

import hashlib
import shutil
from pathlib import Path

import pytest
from PIL import Image

from resources.annotation.clip import Kind
from resources.annotation.outcome import ErrorKind
from resources.annotation.progress import ShardProgress, untold
from resources.lake import contents
from resources.lake.contents import read_contents
from resources.lake.indexing import index_source
from resources.lake.lake import Lake
from resources.lake.left_out import counted
from resources.source.source import SourceError, survey
from resources.video import IsolatedWorkers
from tests.lake.here import Here

CASES = Path(__file__).parents[1] / "video" / "cases"


class Counting(Here):
    """Notes which files are read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def call(self, function, *arguments, timeout_s=None):
        self.read += [path.name for path, *_ in arguments[-1]]
        return super().call(function, *arguments)


def write(folder: Path, count: int) -> dict[Path, Kind | None]:
    paths = {folder / f"{number}.mp4": Kind.VIDEO for number in range(count)}
    for path in paths:
        path.write_text(path.name)
    return paths


def digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def quiet(line: str) -> None:
    pass


def test_children_read_every_file_and_tell_how_far_they_are(tmp_path):
    paths = write(tmp_path, 300)
    named = {**paths, tmp_path / "missing.mp4": Kind.VIDEO, tmp_path: None}
    told: list[ShardProgress] = []
    with IsolatedWorkers(2, timeout_s=60) as workers:
        states = read_contents(named, {}, workers, None, quiet, told.append)
    assert {path: states[path].content_id for path in paths} == {path: digest(path) for path in paths}
    assert str(states[tmp_path / "missing.mp4"]).startswith("missing_file")
    assert states[tmp_path].message == "a directory, not a regular file"
    assert [(one.settled, one.done) for one in told] == [(2, 128), (2, 256), (2, 300)]


def test_a_read_that_does_not_return_costs_its_file(tmp_path, monkeypatch):
    paths = write(tmp_path, 3)
    first, endless, last = paths
    with endless.open("r+b") as file:
        file.truncate(2**43)  # a hole of 8 TiB, which nobody reads through in a second
    monkeypatch.setattr(contents, "SLOWEST_BYTES_PER_S", 1e18)
    said: list[str] = []
    with IsolatedWorkers(1, timeout_s=1) as workers:
        states = read_contents(paths, {}, workers, None, said.append, untold)
    assert [states[path].content_id for path in (first, last)] == [digest(first), digest(last)]
    assert states[endless].kind is ErrorKind.DECODE_TIMEOUT
    assert any(str(endless) in line for line in said)


def test_what_was_read_before_a_kill_is_not_read_again(tmp_path):
    paths = write(tmp_path, 3)
    notes = tmp_path / "contents.jsonl"
    read_contents(paths, {}, Here(), notes, quiet, untold)
    with notes.open("a") as lines:
        lines.write('["half a li')
    (tmp_path / "0.mp4").write_text("now longer")
    more = {**paths, tmp_path / "a.txt": None}
    (tmp_path / "a.txt").write_text("no media")
    for expected in (["0.mp4", "a.txt"], ["a.txt"]):
        workers = Counting()
        states = read_contents(more, {}, workers, notes, quiet, untold)
        assert states[tmp_path / "0.mp4"].content_id == digest(tmp_path / "0.mp4")
        assert states[tmp_path / "1.mp4"].content_id == digest(tmp_path / "1.mp4")
        assert states[tmp_path / "a.txt"].message == "neither a video nor an image"
        assert workers.read == expected


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    """A folder as people have it: media by other names, other files by those of media, what systems leave behind."""
    folder = tmp_path / "source"
    folder.mkdir()
    for name, as_name in (
        ("joined-ts.mpg", "stream.ts"),
        ("interlaced.mpg", "disc.dat"),
        ("thumbnail-track.mp4", "without_suffix"),
        ("transparent-vp9.webm", "clip.ogm"),
        ("last-frame-held.mp4", "really-a-video.jpg"),
        ("prophoto.jpg", "really-an-image.mp4"),
        ("still.avif", "photo.avif"),
        ("animated.webp", "animated.webp"),
        ("animated.apng.png", "animated.png"),
        ("last-frame-held.gif", "moving.gif"),
        ("moov-lost.mp4", "damaged.mp4"),
        ("audio-with-cover.mp4", "music.mp3"),
    ):
        shutil.copy(CASES / name, folder / as_name)
    Image.new("L", (8, 8)).save(folder / "still.gif")
    (folder / "stream.json").write_text("{}")
    for name in ("module.ts", "notes.txt", "list.csv", "moving.txt", "empty"):
        (folder / name).write_text("" if name == "empty" else "const a = 1\n")
    for name in ("@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", "__MACOSX"):
        (folder / name).mkdir()
        shutil.copy(CASES / "last-frame-held.mp4", folder / name)
    (folder / ".cache").mkdir()
    (folder / "._moving.gif").write_bytes(b"x")
    return folder


def test_content_says_what_a_file_is_and_what_is_left_out_is_counted(everything: Path, tmp_path: Path):
    lake, workers = Lake(tmp_path / "home"), Counting()
    index_source(lake, lambda: survey(everything), 50, workers, quiet)
    kinds = {Path(clip.path).name: str(clip.kind) for clip in lake.manifest("shard-00000")}
    images = {"photo.avif", "really-an-image.mp4", "still.gif"}
    videos = {
        *("stream.ts", "disc.dat", "without_suffix", "clip.ogm", "really-a-video.jpg", "animated.webp"),
        *("animated.png", "moving.gif", "damaged.mp4"),
    }
    assert kinds == dict.fromkeys(images, "image") | dict.fromkeys(videos, "video")
    neither, system = "neither a video nor an image", "a folder of a NAS, a bin or a file system"
    left_out = counted(lake.left_out())
    assert {(one["kind"], one["reason"], one["files"]) for one in left_out} == {
        *((suffix, neither, 1) for suffix in (".ts", ".txt", ".csv", ".json")),
        (".mp3", "no video stream, only audio with cover art", 1),
        ("empty", "the file is empty", 1),
        *((name, system, 1) for name in ("@eaDir", "#recycle", "$RECYCLE.BIN")),
        *((name, system, 1) for name in ("System Volume Information", "lost+found", "__MACOSX")),
        (".cache", "a hidden folder", 1),
        (".gif", "a hidden file", 1),
    }
    workers.read.clear()
    again = index_source(lake, lambda: survey(everything), 50, workers, quiet)
    assert not again.written
    assert not kinds.keys() & set(workers.read)
    assert counted(lake.left_out()) == left_out


def test_a_source_without_a_clip_says_what_is_in_it(tmp_path: Path):
    (tmp_path / "a.ts").write_text("const a = 1\n")
    with pytest.raises(SourceError, match=r"only 1 \.ts: neither a video nor an image"):
        index_source(Lake(tmp_path / "home"), lambda: survey(tmp_path), 50, Here(), quiet)


def test_a_still_image_in_a_list_is_an_image(tmp_path: Path):
    listing = tmp_path / "list.csv"
    listing.write_text(f"path\n{CASES / 'still.avif'}\n{CASES / 'animated.webp'}\n{tmp_path / 'gone.png'}\n")
    lake = Lake(tmp_path / "home")
    index_source(lake, lambda: survey(listing), 50, Here(), quiet)
    assert [str(clip.kind) for clip in lake.manifest("shard-00000")] == ["image", "video", "image"]
