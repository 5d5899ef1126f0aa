"""Clips cut out of longer videos without re-encoding, as training clips usually are."""

import random
from itertools import product
from pathlib import Path

import pytest

from resources.video import Backend, FrameRule, RuleKind
from resources.video.decode import sample_frames
from resources.video.probe import probe
from tests.video.conftest import Maker
from tests.video.kinds import B_FRAMES, HEVC_OPEN, INTRA_REFRESH, OPEN_GROUPS, PYRAMID
from tests.video.media import Cut, Recipe, copy_cut, read_numbers

NUMBERS = range(80)
SOURCES = {
    "closed": Recipe(numbers=NUMBERS),
    "pyramid": Recipe(numbers=NUMBERS, options=PYRAMID),
    "open": Recipe(numbers=NUMBERS, options=OPEN_GROUPS),
    "hevc_open": Recipe(codec="libx265", numbers=NUMBERS, options=HEVC_OPEN),
    "av1": Recipe(codec="libsvtav1", numbers=NUMBERS),
    "mpeg2": Recipe(codec="mpeg2video", fps=25, numbers=NUMBERS, options=B_FRAMES),
    "mpeg4": Recipe(codec="mpeg4", numbers=NUMBERS, options=B_FRAMES),
}
H26X = ["closed", "pyramid", "open", "hevc_open"]
RULES = [FrameRule(RuleKind.PLLAVA, 4), FrameRule(RuleKind.LINSPACE, 9)]


def cut(source: str, suffix: str, seed: int, clip: Maker, folder: Path) -> Cut:
    draw = random.Random(f"{source}{seed}")
    start, count = draw.randrange(0, 64), draw.randrange(3, 30)
    path = clip(f"to_cut_{source}.mp4", SOURCES[source])
    return copy_cut(path, folder / f"cut{suffix}", NUMBERS, start, count)


def assert_right(piece: Cut, backend: Backend) -> None:
    for rule in RULES:
        frames = sample_frames(piece.path, rule, backend=backend)
        assert read_numbers(frames.images) == [piece.numbers[i] for i in rule.indices(len(piece.numbers))]
        assert frames.num_frames == len(piece.numbers)
        assert frames.details["decode_warnings"] == []
    assert probe(piece.path).num_frames == len(piece.numbers)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("source", "suffix"),
    [
        *product(H26X, [".mp4", ".mov", ".mkv"]),
        *[("av1", ".mp4"), ("av1", ".webm"), ("mpeg2", ".mkv"), ("mpeg2", ".mpg"), ("mpeg4", ".mkv")],
    ],
)
def test_a_cut_shows_the_frames_that_it_holds(
    source: str, suffix: str, seed: int, clip: Maker, tmp_path: Path
):
    assert_right(cut(source, suffix, seed, clip, tmp_path), "auto")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("source", ["closed", "pyramid", "open"])
def test_decord_gives_no_wrong_frame_of_a_cut(
    source: str, suffix: str, seed: int, clip: Maker, tmp_path: Path
):
    assert_right(cut(source, suffix, seed, clip, tmp_path), "decord")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_an_edit_list_does_not_keep_from_seeking(suffix: str, clip: Maker, tmp_path: Path):
    piece = copy_cut(clip("to_cut_closed.mp4", SOURCES["closed"]), tmp_path / f"cut{suffix}", NUMBERS, 20, 30)
    assert sample_frames(piece.path, RULES[0]).details["access"] == "seek"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("source", ["closed", "pyramid"])
def test_a_cut_of_a_transport_stream(source: str, seed: int, clip: Maker, tmp_path: Path):
    assert_right(cut(source, ".ts", seed, clip, tmp_path), "auto")


@pytest.mark.parametrize("start", [13, 20, 24, 37])
def test_a_cut_of_an_intra_refresh_stream_gives_clean_frames_and_says_what_is_lost(
    start: int, clip: Maker, tmp_path: Path
):
    """Pictures refreshed bit by bit are whole only after a full round: before it there is nothing to show."""
    source = clip("to_cut_refresh.mp4", Recipe(numbers=NUMBERS, options=INTRA_REFRESH))
    piece = copy_cut(source, tmp_path / "cut.mkv", NUMBERS, start, 30)
    frames = sample_frames(piece.path, RULES[0])
    clean = piece.numbers[-frames.num_frames :]
    assert read_numbers(frames.images) == [clean[index] for index in frames.indices]
    assert any("gave no frame" in warning for warning in frames.details["decode_warnings"])
