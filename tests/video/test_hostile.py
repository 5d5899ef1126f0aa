"""Files that are no videos, or were made to do harm: each is one clip's error, quickly, and nothing else."""

import io
import os
import socket
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from resources.annotation.clip import Kind
from resources.annotation.outcome import ClipError, ErrorKind
from resources.video import FrameReader, FrameRule, IsolatedWorkers, RuleKind
from resources.video.budget import Budget
from resources.video.decode import sample_frames
from resources.video.probe import probe_many
from tests.video.conftest import Maker
from tests.video.media import HEIGHT, WIDTH, Recipe, read_numbers, write_sound_only

RULE = FrameRule(RuleKind.PLLAVA, 4)
UNREADABLE = ErrorKind.DECODE_ERROR
MISSING = ErrorKind.MISSING_FILE


def write(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.mp4", b"\0" * 1000)


def bound_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def huge_gif(path: Path) -> None:
    path.write_bytes(b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0xF0, 0, 0) + b"\0\0\0\xff\xff\xff;")


def huge_png(path: Path) -> None:
    data = io.BytesIO()
    Image.new("1", (8, 8)).save(data, "png")
    content = bytearray(data.getvalue())
    content[16:24] = struct.pack(">II", 100_000, 100_000)
    path.write_bytes(content)


def empty_video(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()


def header_cut_off(path: Path) -> None:
    Recipe(numbers=range(8)).write(path)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"moov") - 4])


def playlist_of_a_fifo(path: Path) -> None:
    os.mkfifo(path.with_suffix(".fifo"))
    path.write_text(f"ffconcat version 1.0\nfile {path.with_suffix('.fifo').name}\n")


VIDEOS: dict[str, tuple[Callable[[Path], object], ErrorKind]] = {
    "absent": (lambda path: None, MISSING),
    "broken_link": (lambda path: path.symlink_to(path.parent / "nowhere"), MISSING),
    "link_to_itself": (lambda path: path.symlink_to(path), MISSING),
    "fifo": (os.mkfifo, UNREADABLE),
    "directory": (Path.mkdir, UNREADABLE),
    "socket": (bound_socket, UNREADABLE),
    "device": (lambda path: path.symlink_to("/dev/zero"), UNREADABLE),
    "empty": (write(b""), UNREADABLE),
    "one_byte": (write(b"\0"), UNREADABLE),
    "zeros": (write(bytes(100_000)), UNREADABLE),
    "noise": (write(np.random.default_rng(0).bytes(100_000)), UNREADABLE),
    "text": (write(b"a video of a dog\n" * 500), UNREADABLE),
    "html": (write(b"<!doctype html><html><body>404 Not Found</body></html>" * 20), UNREADABLE),
    "zip": (zipped, UNREADABLE),
    "sound_only": (write_sound_only, ErrorKind.NO_VIDEO_STREAM),
    "no_packets": (empty_video, ErrorKind.NO_VIDEO_STREAM),
    "header_cut_off": (header_cut_off, UNREADABLE),
    "huge_gif": (huge_gif, UNREADABLE),
    "hls_playlist": (write(b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n"), UNREADABLE),
    "list_of_urls": (write(b"ffconcat version 1.0\nfile http://127.0.0.1:9/a.mp4\n"), UNREADABLE),
    "list_of_a_fifo": (playlist_of_a_fifo, ErrorKind.DECODE_TIMEOUT),
}
IMAGES: dict[str, tuple[Callable[[Path], object], ErrorKind]] = {
    **{
        name: VIDEOS[name]
        for name in ("absent", "fifo", "directory", "empty", "text", "noise", "link_to_itself")
    },
    "huge_png": (huge_png, UNREADABLE),
    "video": (lambda path: Recipe(numbers=range(4), format="mp4").write(path), UNREADABLE),
}
CASES = [
    *((Kind.VIDEO, name, *case) for name, case in VIDEOS.items()),
    *((Kind.IMAGE, name, *case) for name, case in IMAGES.items()),
]


@pytest.fixture(scope="module")
def impatient():
    with IsolatedWorkers(2, timeout_s=3) as pool:
        yield pool


@pytest.mark.parametrize(("kind", "name", "make", "expected"), CASES, ids=lambda value: str(value)[:20])
def test_a_bad_file_is_its_own_error(
    kind, name, make, expected, workers: IsolatedWorkers, impatient: IsolatedWorkers, tmp_path: Path
):
    pool = impatient if expected is ErrorKind.DECODE_TIMEOUT else workers
    path = tmp_path / ("clip.mp4" if kind is Kind.VIDEO else "clip.png")
    make(path)
    with pytest.raises(ClipError) as reading:
        FrameReader(pool).read(path, kind, RULE)
    assert reading.value.kind is expected
    assert "\n" not in reading.value.message
    [probed] = probe_many([(path, kind)], pool)
    assert isinstance(probed, ClipError)
    assert probed.kind is expected


def test_bad_files_leave_their_neighbours_alone(impatient: IsolatedWorkers, clip: Maker, tmp_path: Path):
    paths = []
    for place, (make, _) in enumerate(VIDEOS.values()):
        bad = tmp_path / f"{place}.mp4"
        make(bad)
        paths += [bad, clip("h264.mp4")]
    probes = probe_many([(path, Kind.VIDEO) for path in paths], impatient)
    assert all(isinstance(found, ClipError) for found in probes[0::2])
    assert {found.num_frames for found in probes[1::2] if not isinstance(found, ClipError)} == {40}
    frames = FrameReader(impatient).read(clip("h264.mp4"), Kind.VIDEO, RULE)
    assert read_numbers(frames.images) == frames.indices


def test_no_permission_is_a_missing_file(workers: IsolatedWorkers, clip: Maker, tmp_path: Path):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    path = tmp_path / "locked.mp4"
    path.write_bytes(clip("h264.mp4").read_bytes())
    path.chmod(0)
    with pytest.raises(ClipError, match="permission") as error:
        FrameReader(workers).read(path, Kind.VIDEO, RULE)
    assert error.value.kind is MISSING


@pytest.mark.parametrize(
    "name", ["spaced name.mp4", "%d.mp4", "ünïcode-視頻.mp4", "new\nline.mp4", "-i.mp4", "a:b.mp4"]
)
def test_any_name_is_a_name(name: str, reader: FrameReader, clip: Maker, tmp_path: Path):
    path = tmp_path / name
    path.write_bytes(clip("h264.mp4").read_bytes())
    assert read_numbers(reader.read(path, Kind.VIDEO, RULE).images) == [4, 14, 24, 33]


def test_a_picture_over_the_budget_is_refused_before_it_is_decoded(reader: FrameReader, tmp_path: Path):
    path = tmp_path / "huge.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width, stream.height, stream.pix_fmt = 8000, 8184, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(8000, 8184, "yuv420p")))
        container.mux(stream.encode(None))
    with pytest.raises(ClipError, match="budget"):
        reader.read(path, Kind.VIDEO, RULE)


@pytest.mark.parametrize("name", ["h264.mp4", "h264.avi"])
def test_the_byte_budget_counts_the_frames_there_are(name: str, clip: Maker):
    path = clip(name)
    fits = Budget(max_bytes=40 * HEIGHT * WIDTH * 3)
    assert len(sample_frames(path, FrameRule(RuleKind.LINSPACE, 64), budget=fits).images) == 40
    tight = Budget(max_bytes=39 * HEIGHT * WIDTH * 3)
    with pytest.raises(ClipError, match="budget"):
        sample_frames(path, FrameRule(RuleKind.LINSPACE, 64), budget=tight)
    with pytest.raises(ClipError, match="budget of 39 frames"):
        sample_frames(path, RULE, budget=Budget(max_frames=39))
