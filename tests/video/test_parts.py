"""A part of a video is exactly the frames that are shown in it, wherever it begins, in every kind of file."""

import random
from pathlib import Path

import numpy as np
import pytest

from resources.annotation.clip import Kind, Span
from resources.annotation.outcome import ClipError, ErrorKind
from resources.video import FrameReader, FrameRule, IsolatedWorkers, RuleKind
from resources.video.headers import Probe
from resources.video.probe import probe_many
from tests.video.conftest import Maker
from tests.video.kinds import IN_ORDER, SEEKABLE, UNEVEN

EVERY = FrameRule(RuleKind.LINSPACE, 1000)
STILL = {"still.mp4", "one_frame.mp4"}
WITHOUT_TIMES = {"raw.h264", "raw.hevc"}


def parts(times: list[float], count: int, seed: str) -> list[tuple[int, int, Span]]:
    """Random parts of some frames each: the numbers of the first frame and of the one after the last, and the span."""
    dice = random.Random(seed)
    found = []
    for _ in range(count):
        first = dice.randrange(len(times))
        end = dice.randrange(first + 1, len(times) + 1)
        late = times[end] if end < len(times) else times[-1] + 1
        # An edge anywhere between two frames means the later one.
        start = (
            times[first]
            if first == 0 or dice.random() < 0.5
            else (times[first - 1] + times[first]) / 2 + 1e-4
        )
        found.append((first, end, Span(start, late - dice.choice([0.0, 1e-4]))))
    return found


@pytest.mark.parametrize("name", sorted((SEEKABLE | IN_ORDER).keys() - STILL - WITHOUT_TIMES))
def test_frames_of_a_part_are_those_of_the_whole_file(name: str, reader: FrameReader, clip: Maker) -> None:
    path = clip(name)
    whole = reader.read(path, Kind.VIDEO, EVERY)
    times = [time for time in whole.times_s if time is not None]
    assert len(times) == whole.num_frames
    for first, end, span in parts(times, 3, name):
        found = reader.read(path, Kind.VIDEO, EVERY.within(span))
        assert found.num_frames == end - first
        assert found.indices == list(range(end - first))
        assert np.array_equal(found.images, whole.images[first:end]), (name, span)
        assert found.times_s == pytest.approx([time - times[first] for time in times[first:end]])
        assert found.details["access"] == whole.details["access"]


@pytest.mark.parametrize("name", sorted(WITHOUT_TIMES))
def test_a_stream_without_times_has_parts_by_number_alone(
    name: str, reader: FrameReader, clip: Maker
) -> None:
    whole = reader.read(clip(name), Kind.VIDEO, EVERY)
    found = reader.read(clip(name), Kind.VIDEO, EVERY.within(Span(7, 19, in_frames=True)))
    assert np.array_equal(found.images, whole.images[7:19])
    with pytest.raises(ClipError, match="has no times"):
        reader.read(clip(name), Kind.VIDEO, EVERY.within(Span(0, 1)))


@pytest.mark.parametrize("name", ["h264.mp4", "variable_rate.mp4", "h264.ts", "delayed.mp4", "vp9.webm"])
def test_the_probe_tells_of_the_part_alone(
    name: str, reader: FrameReader, workers: IsolatedWorkers, clip: Maker
) -> None:
    path = clip(name)
    times = [time or 0.0 for time in reader.read(path, Kind.VIDEO, EVERY).times_s]
    spans = [Span(times[8], times[20]), Span(8, 20, in_frames=True), Span(times[30], 1000.0)]
    by_time, by_number, to_the_end = probe_many([(path, Kind.VIDEO, span) for span in spans], workers)
    whole = probe_many([(path, Kind.VIDEO)], workers)[0]
    assert isinstance(by_time, Probe)
    assert isinstance(by_number, Probe)
    assert isinstance(to_the_end, Probe)
    assert isinstance(whole, Probe)
    assert by_time.num_frames == by_number.num_frames == 12
    assert by_time.duration_s == pytest.approx(times[20] - times[8])
    assert (by_number.start_s, by_number.end_s) == pytest.approx((times[8], times[20]))
    assert to_the_end.num_frames == whole.num_frames - 30
    if not whole.is_vfr:  # else nobody knows how long the last frame is shown
        assert whole.duration_s is not None
        assert to_the_end.duration_s == pytest.approx(whole.duration_s - times[30], abs=0.002)
    assert (by_time.height, by_time.width, by_time.codec) == (whole.height, whole.width, whole.codec)
    assert whole.start_s is whole.end_s is None


def test_an_uneven_rate_is_that_of_the_part(workers: IsolatedWorkers, clip: Maker) -> None:
    span = Span(UNEVEN[2] / 30, UNEVEN[6] / 30)
    [found] = probe_many([(clip("variable_rate.mp4"), Kind.VIDEO, span)], workers)
    assert isinstance(found, Probe)
    assert found.fps == pytest.approx(4 / (span.end - span.start))
    assert found.is_vfr


@pytest.mark.parametrize(
    ("name", "span"),
    [("h264.mp4", Span(99, 100)), ("h264.ts", Span(99, 100)), ("h264.mp4", Span(50, 60, True))],
)
def test_a_part_without_a_frame_is_the_clips_error(
    name: str, span: Span, reader: FrameReader, workers: IsolatedWorkers, clip: Maker
) -> None:
    with pytest.raises(ClipError, match="no frame is shown in") as reading:
        reader.read(clip(name), Kind.VIDEO, EVERY.within(span))
    assert reading.value.kind is ErrorKind.DECODE_ERROR
    [probed] = probe_many([(clip(name), Kind.VIDEO, span)], workers)
    assert isinstance(probed, ClipError)
    assert probed.message == reading.value.message


def test_captioners_rules_hold_within_the_part(reader: FrameReader, clip: Maker) -> None:
    whole = reader.read(clip("long.mp4"), Kind.VIDEO, EVERY)
    span = Span(40.0, 50.0)
    for rule in (FrameRule(RuleKind.PLLAVA, 4), FrameRule(RuleKind.POINTS, 3)):
        found = reader.read(clip("long.mp4"), Kind.VIDEO, rule.within(span))
        assert np.array_equal(found.images, whole.images[[400 + index for index in rule.indices(100)]])


def test_an_image_has_no_parts(workers: IsolatedWorkers, tmp_path: Path) -> None:
    [probed] = probe_many([(tmp_path / "a.png", Kind.IMAGE, Span(0, 1))], workers)
    assert isinstance(probed, ClipError)


@pytest.mark.parametrize("span", [Span(0.1, 2 / 3), Span(12.0, 1e6), Span(3, 30, in_frames=True)])
def test_a_part_is_written_and_read_without_loss(span: Span) -> None:
    assert Span.parse(str(span)) == span
