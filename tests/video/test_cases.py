"""Files like those that people reported of other tools, each with what is true of it by construction."""

from fractions import Fraction
from pathlib import Path
from typing import get_args

import av
import numpy as np
import pytest
from PIL import Image, ImageCms

from resources.annotation.clip import Kind
from resources.annotation.outcome import ClipError, ErrorKind
from resources.video import Backend, FrameRule, RuleKind
from resources.video.budget import Budget
from resources.video.decode import sample_frames
from resources.video.probe import probe
from tests.video.conftest import Maker
from tests.video.media import HEIGHT, WIDTH, picture, read_number, read_numbers

CASES = Path(__file__).parent / "cases"
RULE = FrameRule(RuleKind.LINSPACE, 4)
RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 180, 40), (30, 50, 210), (230, 210, 40)
WHITE = (255, 255, 255)
QUARTERS = (RED, GREEN, BLUE, YELLOW)
HIDDEN = (RED, WHITE, BLUE, WHITE)
TURNED = (GREEN, YELLOW, RED, BLUE)

# name: kind, (height, width), frames, frames a second, seconds, colours of the quarters.
READABLE = {
    "rotation-of-another-stream.mp4": (Kind.VIDEO, (120, 480), 50, 25, 2, None),
    "sei-display-orientation.mp4": (Kind.VIDEO, (320, 180), 50, 25, 2, TURNED),
    "sample-aspect-hevc-ts.mpg": (Kind.VIDEO, (180, 427), 50, 25, 2, QUARTERS),
    "last-frame-held.mp4": (Kind.VIDEO, (180, 320), 4, 0.4, 10, QUARTERS),
    "last-frame-held.gif": (Kind.VIDEO, (180, 320), 6, 6 / 5.5, 5.5, QUARTERS),
    "joined-ts.mpg": (Kind.VIDEO, (180, 320), 100, 25, 4, QUARTERS),
    "joined-ps.mpg": (Kind.VIDEO, (180, 320), 100, 25, 4, QUARTERS),
    "thumbnail-track.mp4": (Kind.VIDEO, (180, 320), 50, 25, 2, QUARTERS),
    "still.avif": (Kind.IMAGE, (180, 320), 1, None, None, QUARTERS),
    "display-p3.jpg": (Kind.IMAGE, (180, 320), 1, None, None, QUARTERS),
    "prophoto.jpg": (Kind.IMAGE, (180, 320), 1, None, None, QUARTERS),
    "transparent-vp9.webm": (Kind.VIDEO, (180, 320), 10, 25, 0.4, HIDDEN),
    "transparent-qtrle.mov": (Kind.VIDEO, (180, 320), 10, 25, 0.4, HIDDEN),
    "interlaced.mpg": (Kind.VIDEO, (288, 352), 25, 25, 1, None),
    "animated.webp": (Kind.VIDEO, (180, 320), 10, 10, 1, QUARTERS),
    "animated.apng.png": (Kind.VIDEO, (180, 320), 10, 10, 1, QUARTERS),
    "without-end-marker.jpg": (Kind.IMAGE, (180, 320), 1, None, None, QUARTERS),
}
UNREADABLE = {
    "encrypted-cenc.mp4": (ErrorKind.DECODE_ERROR, "encrypted"),
    "moov-lost.mp4": (ErrorKind.DECODE_ERROR, r"the index \(moov\) is missing: the file was cut short"),
    "audio-with-cover.mp4": (ErrorKind.NO_VIDEO_STREAM, "audio with cover art"),
}


@pytest.mark.parametrize("name", READABLE)
def test_table_and_frames_say_what_is_true(name: str):
    kind, size, count, fps, duration_s, quarters = READABLE[name]
    found = probe(CASES / name, kind)
    frames = sample_frames(CASES / name, RULE, kind)
    assert (found.height, found.width) == frames.images.shape[1:3] == size
    assert found.num_frames == frames.num_frames == count
    assert found.fps == (fps and pytest.approx(fps))
    assert found.duration_s == (duration_s and pytest.approx(duration_s))
    assert frames.times_s == sorted(frames.times_s)
    if quarters:
        height, width = size
        for place, colour in enumerate(quarters):
            y, x = height * (1 + 2 * (place // 2)) // 4, width * (1 + 2 * (place % 2)) // 4
            assert np.abs(frames.images[:, y, x].astype(int) - colour).max() <= 11


def test_no_annotator_is_shown_another_orientation():
    for rule in (FrameRule(RuleKind.POINTS, 1), FrameRule(RuleKind.PLLAVA, 16)):
        for backend in get_args(Backend):
            frames = sample_frames(CASES / "sei-display-orientation.mp4", rule, backend=backend)
            assert frames.images.shape[1:3] == (320, 180)
            assert np.abs(frames.images[:, 80, 45].astype(int) - GREEN).max() <= 11


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_told_by_its_cause(name: str):
    kind, message = UNREADABLE[name]
    for read in (lambda path: probe(path), lambda path: sample_frames(path, RULE)):
        with pytest.raises(ClipError, match=message) as error:
            read(CASES / name)
        assert error.value.kind is kind


def test_interlaced_pictures_are_flagged_and_not_combed():
    path = CASES / "interlaced.mpg"
    assert probe(path).is_interlaced
    assert probe(CASES / "joined-ts.mpg").is_interlaced is False
    frames = sample_frames(path, RULE)
    assert frames.details["deinterlaced"]
    with av.open(str(path)) as container:
        woven = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for index, image in zip(frames.indices[1:-1], frames.images[1:-1], strict=True):
        assert combing(image) < 0.5 * combing(woven[index])


def combing(image: np.ndarray) -> float:
    """How much every second line differs from both its neighbours."""
    lines = image.astype(int).mean(axis=2)
    return float(np.abs(2 * lines[1:-1] - lines[:-2] - lines[2:]).mean())


def test_a_jpeg_without_its_end_marker_is_taken_with_a_warning_and_half_of_one_is_not(tmp_path):
    whole = sample_frames(CASES / "without-end-marker.jpg", RULE, Kind.IMAGE)
    assert whole.details["decode_warnings"] == ["the end marker is missing"]
    Image.fromarray(picture(5)).save(tmp_path / "a.jpg", quality=95)
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[:-2])
    assert read_number(sample_frames(tmp_path / "a.jpg", RULE, Kind.IMAGE).images[0]) == 5
    (tmp_path / "a.jpg").write_bytes(content[: len(content) * 3 // 4])
    with pytest.raises(ClipError, match="truncated"):
        sample_frames(tmp_path / "a.jpg", RULE, Kind.IMAGE)
    (tmp_path / "a.jpg").write_bytes(content + b"what a camera appends" * 9)
    assert not sample_frames(tmp_path / "a.jpg", RULE, Kind.IMAGE).details["decode_warnings"]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK"])
def test_a_colour_profile_that_fits_no_picture_costs_no_picture(mode: str, tmp_path):
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(picture(9)).convert(mode).save(path, icc_profile=profile)
    assert read_number(sample_frames(path, RULE, Kind.IMAGE).images[0]) == 9


def test_a_heic_photo_is_an_image(tmp_path):
    import pillow_heif

    pillow_heif.from_pillow(Image.fromarray(picture(6))).save(tmp_path / "a.heic", quality=90)
    assert read_number(sample_frames(tmp_path / "a.heic", RULE, Kind.IMAGE).images[0]) == 6
    assert probe(tmp_path / "a.heic", Kind.IMAGE).codec == "heif"


def test_the_pixel_budget_of_images_is_the_one_that_is_set(tmp_path):
    Image.fromarray(picture(1)).save(tmp_path / "a.png")
    size = WIDTH * HEIGHT
    with pytest.raises(ClipError, match="decode: max_pixels"):
        sample_frames(tmp_path / "a.png", RULE, Kind.IMAGE, budget=Budget(max_pixels=size - 1))
    assert sample_frames(tmp_path / "a.png", RULE, Kind.IMAGE, budget=Budget(max_pixels=size)).num_frames == 1


@pytest.mark.parametrize("name", ["h264.ts", "mpeg2.mpg", "mpeg2.ts"])
def test_joined_streams_are_one_line_of_time(name: str, clip: Maker, tmp_path):
    path = tmp_path / f"joined{Path(name).suffix}"
    path.write_bytes(clip(name).read_bytes() * 3)
    one, found = probe(clip(name)), probe(path)
    assert found.num_frames == 3 * one.num_frames
    assert found.fps == pytest.approx(one.fps, rel=0.02)
    assert one.duration_s is not None
    assert found.duration_s == pytest.approx(3 * one.duration_s, rel=0.02)
    frames = sample_frames(path, FrameRule(RuleKind.LINSPACE, 7))
    assert frames.num_frames == found.num_frames
    assert read_numbers(frames.images) == [index % one.num_frames for index in frames.indices]
    assert frames.times_s == pytest.approx([index / found.fps for index in frames.indices], abs=0.03)


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "libx264"), ("mkv", "libx264"), ("webm", "libvpx-vp9")]
)
def test_the_last_frame_lasts_as_long_as_it_says(suffix: str, codec: str, tmp_path):
    path = tmp_path / f"held.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"bf": "0"} if codec == "libx264" else {}
        packets = []
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(picture(number), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        packets[-1].duration = 31 * packets[-1].duration if packets[-1].duration else 31
        container.mux(packets)
    found = probe(path)
    assert found.duration_s == pytest.approx(3.5, abs=0.02)
    assert found.fps == pytest.approx(5 / 3.5, rel=0.02)
    assert found.is_vfr


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"<!DOCTYPE html><html>not found</html>" * 20, "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (bytes(100_000), "nothing but zeros"),
        (b"PK\3\4" + bytes(3000), "a zip archive"),
    ],
)
@pytest.mark.parametrize("kind", list(Kind))
def test_other_things_under_the_name_of_a_clip_are_called_by_their_name(content, cause, kind, tmp_path):
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(ClipError, match=cause):
        probe(tmp_path / "a.bin", kind)
