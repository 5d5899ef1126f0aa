"""The right frames from every kind of file, told by the number each frame carries."""

from fractions import Fraction
from typing import get_args

import av
import numpy as np
import psutil
import pytest

from resources.annotation.clip import Kind
from resources.video import Backend, FrameReader, FrameRule, IsolatedWorkers, RuleKind
from resources.video.decode import sample_frames
from resources.video.probe import probe
from tests.video.conftest import Maker
from tests.video.kinds import IN_ORDER, KINDS, SEEKABLE
from tests.video.media import HEIGHT, WIDTH, Recipe, read_numbers
from tests.video.test_workers import pids

RULES = [
    FrameRule(RuleKind.PLLAVA, 4),
    FrameRule(RuleKind.POINTS, 3),
    FrameRule(RuleKind.LINSPACE, 9),
    FrameRule(RuleKind.PLLAVA, 16),
]


@pytest.mark.parametrize("name", KINDS)
def test_the_frames_are_the_ones_asked_for(name: str, clip: Maker):
    numbers = KINDS[name].numbers
    for rule in RULES:
        frames = sample_frames(clip(name), rule)
        assert frames.num_frames == len(numbers)
        assert frames.indices == rule.indices(len(numbers))
        assert read_numbers(frames.images) == [numbers[index] for index in frames.indices]
        assert frames.details["access"] == ("seek" if name in SEEKABLE else "sequential")
        assert (frames.details["why"] is None) == (name in SEEKABLE)
        assert frames.details["decode_warnings"] == []


@pytest.mark.parametrize("name", KINDS)
def test_decord_is_used_only_where_it_is_right(name: str, clip: Maker):
    numbers = KINDS[name].numbers
    frames = sample_frames(clip(name), RULES[0], backend="decord")
    assert read_numbers(frames.images) == [numbers[index] for index in frames.indices]
    assert frames.num_frames == len(numbers)
    if name in IN_ORDER:
        assert frames.details["backend"] == "pyav"


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "pyramid.mp4", "long.mp4", "full_range.mp4"])
def test_decord_serves_those_who_named_it(name: str, clip: Maker):
    pytest.importorskip("decord")
    frames = sample_frames(clip(name), RULES[0], backend="decord")
    assert frames.details["backend"] == "decord"
    assert frames.details["why"] is None


def test_one_picture_at_two_indices_makes_decord_doubtful(clip: Maker):
    pytest.importorskip("decord")
    frames = sample_frames(clip("still.mp4"), RULES[0], backend="decord")
    assert frames.details["backend"] == "pyav"
    assert "one picture" in frames.details["why"]


def test_a_long_clip_is_not_read_in_order_by_decord(clip: Maker):
    path = clip("longer.mp4", Recipe(numbers=range(1001), options={"g": "250"}))
    frames = sample_frames(path, RULES[0], backend="decord")
    assert (frames.details["backend"], frames.details["access"]) == ("pyav", "seek")
    assert read_numbers(frames.images) == frames.indices


@pytest.mark.parametrize(
    "name", ["h264.mp4", "pyramid.mp4", "hevc_closed.mp4", "av1.webm", "vp9.webm", "ten_bit.mp4"]
)
def test_seeking_gives_the_very_pixels_of_decoding_in_order(name: str, clip: Maker):
    with av.open(str(clip(name))) as container:
        in_order = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    frames = sample_frames(clip(name), FrameRule(RuleKind.LINSPACE, 9))
    assert frames.details["access"] == "seek"
    for index, image in zip(frames.indices, frames.images, strict=True):
        assert np.array_equal(image, in_order[index])


@pytest.mark.parametrize("name", KINDS)
def test_the_probe_agrees_with_the_decoder(name: str, clip: Maker):
    recipe = KINDS[name]
    found = probe(clip(name))
    decoded = sample_frames(clip(name), RULES[0])
    assert found.num_frames == len(recipe.numbers)
    assert (found.height, found.width) == decoded.images.shape[1:3]
    assert found.file_size == clip(name).stat().st_size
    assert found.has_audio == recipe.audio
    assert found.is_vfr == (name == "variable_rate.mp4")
    if not found.is_vfr and len(recipe.numbers) > 3 and not name.startswith("raw."):
        assert found.fps == pytest.approx(recipe.fps, rel=0.02)
        assert found.duration_s == pytest.approx(len(recipe.numbers) / recipe.fps, rel=0.03)


@pytest.mark.parametrize(
    ("name", "recipe"), [("one.ts", {}), ("one.mpg", {"codec": "mpeg2video", "fps": 25})]
)
def test_a_lone_frame_lasts_as_long_as_its_header_says(name: str, recipe: dict, clip: Maker):
    found = probe(clip(name, Recipe(numbers=[7], **recipe)))
    assert found.fps == recipe.get("fps", 10)
    assert found.duration_s == pytest.approx(1 / found.fps)


def test_moments_without_a_new_picture_are_no_damage_of_an_avi(clip: Maker):
    path = clip(
        "skips.avi", Recipe("mpeg4", numbers=range(10), times=[3 * place for place in range(10)], fps=30)
    )
    frames = sample_frames(path, RULES[0])
    assert read_numbers(frames.images) == frames.indices
    assert frames.details["decode_warnings"] == []
    assert probe(path).fps == pytest.approx(10)


def test_times_are_those_of_the_frames(clip: Maker):
    recipe = KINDS["variable_rate.mp4"]
    frames = sample_frames(clip("variable_rate.mp4"), RULES[0])
    assert recipe.times is not None
    assert frames.times_s == pytest.approx([recipe.times[index] / 30 for index in frames.indices], abs=0.01)


@pytest.mark.parametrize(("aspect", "width"), [(Fraction(4, 3), 256), (Fraction(2, 3), 128)])
@pytest.mark.parametrize("container", ["mkv", "mp4", "ts"])
def test_samples_are_made_square(aspect: Fraction, width: int, container: str, clip: Maker):
    path = clip(f"aspect_{width}.{container}", Recipe(numbers=range(4), sample_aspect=aspect))
    frames = sample_frames(path, RULES[0])
    assert frames.images.shape == (4, HEIGHT, width, 3)
    assert read_numbers(frames.images) == frames.indices
    assert (probe(path).height, probe(path).width) == (HEIGHT, width)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("backend", get_args(Backend))
def test_pictures_are_upright(degrees: int, mirrored: bool, backend: Backend, clip: Maker):
    recipe = Recipe(numbers=range(6), rotation=(degrees, mirrored))
    path = clip(f"turned_{degrees}_{mirrored}.mp4", recipe)
    frames = sample_frames(path, RULES[0], backend=backend)
    assert frames.images.shape[1:] == (HEIGHT, WIDTH, 3)
    assert read_numbers(frames.images) == frames.indices
    assert (probe(path).height, probe(path).width) == (HEIGHT, WIDTH)


def test_a_stream_that_changes_its_size_keeps_the_first(tmp_path, clip: Maker):
    small = clip("small.h264", Recipe(numbers=range(10), format="h264"))
    large = clip("large.h264", Recipe(numbers=range(10, 20), format="h264", width=384, height=192))
    both = tmp_path / "both.h264"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    frames = sample_frames(both, FrameRule(RuleKind.LINSPACE, 5))
    assert frames.images.shape == (5, HEIGHT, WIDTH, 3)
    assert read_numbers(frames.images) == frames.indices
    assert frames.num_frames == 20


def test_cover_art_is_not_the_video(tmp_path, clip: Maker):
    path = tmp_path / "with_cover.mp4"
    with av.open(str(clip("h264.mp4"))) as source, av.open(str(path), "w") as target:
        cover = target.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 640, 480, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        video = target.add_stream_from_template(source.streams.video[0])
        target.mux(cover.encode(av.VideoFrame(640, 480, "yuvj420p")))
        target.mux(cover.encode(None))
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                target.mux(packet)
    frames = sample_frames(path, RULES[0])
    assert frames.num_frames == 40
    assert read_numbers(frames.images) == frames.indices


def test_a_matroska_file_without_an_index_is_read(tmp_path):
    path = tmp_path / "streamed.mkv"
    Recipe(container_options={"live": "1"}).write(path)
    frames = sample_frames(path, RULES[0])
    assert read_numbers(frames.images) == frames.indices
    assert frames.num_frames == probe(path).num_frames == 40


def test_high_dynamic_range_becomes_what_a_screen_shows(tmp_path):
    """SMPTE 2084 code .58 is 203 nits, the white of standard pictures; undone it would be a dull gray."""
    path = tmp_path / "hdr10.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p10le"
        stream.options = {"x265-params": "log-level=none:colorprim=9:transfer=16:colormatrix=9"}
        stream.codec_context.color_trc = 16
        stream.codec_context.colorspace = 9
        gray = np.empty((64, 128, 3), np.uint16)
        gray[:, :64], gray[:, 64:] = round(0.58 * 65535), round(0.3 * 65535)
        frame = av.VideoFrame.from_ndarray(gray, "rgb48le").reformat(format="yuv420p10le", dst_colorspace=9)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    images = sample_frames(path, FrameRule(RuleKind.POINTS, 1)).images
    bright, dark = images[0, 32, 20], images[0, 32, 100]
    assert np.ptp(bright.astype(int)) <= 3
    assert 220 <= bright.mean() <= 250
    assert 50 <= dark.mean() <= 75
    assert probe(path).bit_depth == 10


@pytest.mark.parametrize(
    ("short_side", "max_side", "shape"),
    [(48, None, (48, 96)), (None, 100, (50, 100)), (48, 80, (40, 80)), (500, 500, (HEIGHT, WIDTH))],
)
@pytest.mark.parametrize("name", ["h264.mp4", "h264.avi"])
def test_frames_come_at_the_size_needed(name, short_side, max_side, shape, clip: Maker, reader: FrameReader):
    frames = reader.read(clip(name), Kind.VIDEO, RULES[0], short_side=short_side, max_side=max_side)
    assert frames.images.shape == (4, *shape, 3)
    assert read_numbers(frames.images) == frames.indices


def test_a_worker_keeps_nothing_of_the_clips_it_has_read(clip: Maker):
    """Threads of the scaler and frames of decoders that pile up once made good clips fail at the memory limit."""
    path = clip("larger.mp4", Recipe(numbers=range(4), width=960, height=480))
    with IsolatedWorkers(1) as workers:
        for _ in range(8):
            FrameReader(workers).read(path, Kind.VIDEO, RULES[0])
        worker = psutil.Process(pids(workers)[0])
        before = worker.memory_info()
        for _ in range(32):
            FrameReader(workers).read(path, Kind.VIDEO, RULES[0])
        assert worker.num_threads() == 1
        assert worker.memory_info().vms - before.vms < 20 * 1024**2


def test_gray_is_the_luma_of_the_picture(clip: Maker, reader: FrameReader):
    colour = reader.read(clip("h264.mp4"), Kind.VIDEO, RULES[0]).images
    gray = reader.read(clip("h264.mp4"), Kind.VIDEO, RULES[0], gray=True).images
    assert gray.shape == colour.shape[:3]
    assert np.abs(gray - colour @ np.array([0.299, 0.587, 0.114])).mean() < 2
