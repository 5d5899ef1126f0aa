"""Files with flipped bytes or a lost end: an answer or an error for each, and no harm to anything else."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resources.annotation.clip import Kind
from resources.annotation.outcome import ClipError, ErrorKind
from resources.video import FrameReader, FrameRule, Frames, IsolatedWorkers, RuleKind
from resources.video.headers import Probe
from resources.video.probe import probe_many
from tests.video.conftest import Maker
from tests.video.kinds import KINDS
from tests.video.media import Recipe, picture, read_number

RULE = FrameRule(RuleKind.PLLAVA, 4)
DAMAGED_KINDS = [
    "h264.mp4",
    "h264.mkv",
    "h264.ts",
    "h264.avi",
    "h264.flv",
    "hevc_closed.mp4",
    "open_groups.mp4",
    "fragmented.mp4",
    "vp8.webm",
    "vp9.webm",
    "av1.mp4",
    "animation.gif",
    "mpeg2.mpg",
    "mpeg4.avi",
    "prores.mov",
]
FLIPPED, CUT_OFF = 16, 6
CLIP_ERRORS = {ErrorKind.DECODE_ERROR, ErrorKind.NO_VIDEO_STREAM}
# A damaged size can make Pillow ask for more memory than a worker has.
IMAGE_ERRORS = {ErrorKind.DECODE_ERROR, ErrorKind.DECODE_CRASH}


def damaged_copies(name: str, content: bytes, folder: Path, sweep: int = 1) -> Iterator[Path]:
    draw = random.Random(name)
    for place in range(sweep * (FLIPPED + CUT_OFF)):
        copy = bytearray(content)
        if place % (FLIPPED + CUT_OFF) < FLIPPED:
            for _ in range(draw.choice([1, 3, 10, 40])):
                copy[draw.randrange(len(copy))] = draw.randrange(256)
        else:
            del copy[draw.randrange(1, len(copy)) :]
        path = folder / f"{place}_{name}"
        path.write_bytes(copy)
        yield path


def try_to_read(reader: FrameReader, path: Path, kind: Kind = Kind.VIDEO) -> Frames | ClipError:
    try:
        return reader.read(path, kind, RULE)
    except ClipError as error:
        return error


def read_all(paths: list[Path], reader: FrameReader) -> list[Frames | ClipError]:
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(lambda path: try_to_read(reader, path), paths))


def assert_sound(answer: Frames | ClipError) -> None:
    if isinstance(answer, ClipError):
        assert answer.kind in CLIP_ERRORS, answer
        assert "\n" not in answer.message
    else:
        assert answer.indices == RULE.indices(answer.num_frames)
        assert answer.images.dtype == np.uint8
        assert answer.images.shape[0] == 4
        assert answer.images.shape[3] == 3


@pytest.mark.parametrize("name", DAMAGED_KINDS)
def test_damage_costs_its_clip_at_most(name: str, clip: Maker, workers: IsolatedWorkers, tmp_path: Path):
    """22 variants of each of 15 kinds: 330 files."""
    reader = FrameReader(workers)
    before = reader.read(clip(name), Kind.VIDEO, RULE)
    paths = list(damaged_copies(name, clip(name).read_bytes(), tmp_path))
    for answer in read_all(paths, reader):
        assert_sound(answer)
    for found in probe_many([(path, Kind.VIDEO) for path in paths], workers):
        assert isinstance(found, Probe) or found.kind in CLIP_ERRORS, found
    after = reader.read(clip(name), Kind.VIDEO, RULE)
    assert np.array_equal(before.images, after.images)
    assert after.details == before.details


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "hevc_closed.mp4", "open_groups.mp4", "mpeg4.avi"])
def test_no_frame_is_wrong_without_a_warning(name: str, clip: Maker, reader: FrameReader, tmp_path: Path):
    """Of codecs that can tell damage, by far most of it is told; VP8 and VP9 decode garbage as if meant."""
    numbers = KINDS[name].numbers
    silent = Counter[bool]()
    for answer in read_all(list(damaged_copies(name, clip(name).read_bytes(), tmp_path)), reader):
        if isinstance(answer, Frames) and not answer.details["decode_warnings"]:
            silent[shows(answer, [numbers[index] for index in answer.indices])] += 1
    assert silent[False] <= 0.1 * (FLIPPED + CUT_OFF)


def shows(frames: Frames, numbers: list[int]) -> bool:
    try:
        return [read_number(image) for image in frames.images] == numbers
    except AssertionError:
        return False


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff", "gif", "avif"])
def test_damaged_images_are_errors_or_images(suffix: str, workers: IsolatedWorkers, tmp_path: Path):
    whole = tmp_path / f"whole.{suffix}"
    Image.fromarray(picture(3)).save(whole)
    paths = list(damaged_copies(f"image.{suffix}", whole.read_bytes(), tmp_path))
    reader = FrameReader(workers)
    for path, found in zip(paths, probe_many([(path, Kind.IMAGE) for path in paths], workers), strict=True):
        assert isinstance(found, Probe) or found.kind in IMAGE_ERRORS, found
        answer = try_to_read(reader, path, Kind.IMAGE)
        assert isinstance(answer, Frames) or answer.kind in IMAGE_ERRORS, answer


def test_a_lost_end_leaves_the_frames_before_it(clip: Maker, reader: FrameReader, tmp_path: Path):
    """An mp4 with its header in front promises all frames; those that are there are used, and it is said."""
    whole = clip("faststart.mp4", Recipe(container_options={"movflags": "faststart"})).read_bytes()
    path = tmp_path / "lost_end.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    frames = reader.read(path, Kind.VIDEO, RULE)
    assert 5 < frames.num_frames < 35
    assert [read_number(image) for image in frames.images] == frames.indices
    assert "promises 40 frames" in frames.details["decode_warnings"][0]
    [probed] = probe_many([(path, Kind.VIDEO)], reader.workers)
    assert isinstance(probed, Probe)
    assert abs(probed.num_frames - frames.num_frames) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["auto", "decord"])
def test_a_larger_sweep(backend: str, clip: Maker, workers: IsolatedWorkers, tmp_path: Path):
    reader = FrameReader(workers, backend)
    for name in DAMAGED_KINDS:
        paths = list(damaged_copies(name, clip(name).read_bytes(), tmp_path, sweep=4))
        for answer in read_all(paths, reader):
            assert_sound(answer)
