import json
from pathlib import Path

import pytest

from resources.video.sampling import FrameRule, RuleKind

GOLDEN = json.loads((Path(__file__).parent / "golden_get_index.json").read_text())


@pytest.mark.parametrize("case", GOLDEN)
def test_pllava_rule_equals_the_reference(case: str):
    num_frames, count = map(int, case.split("x"))
    assert FrameRule(RuleKind.PLLAVA, count).indices(num_frames) == GOLDEN[case]


@pytest.mark.parametrize(
    ("num_frames", "expected"),
    [(1, [0, 0, 0]), (2, [0, 1, 1]), (3, [0, 1, 2]), (10, [1, 5, 9]), (100, [10, 50, 90])],
)
def test_three_points_are_the_seeds(num_frames: int, expected: list[int]):
    assert FrameRule(RuleKind.POINTS, 3).indices(num_frames) == expected


@pytest.mark.parametrize(
    ("num_frames", "count", "expected"),
    [(1, 64, [0]), (3, 64, [0, 1, 2]), (5, 3, [0, 2, 4]), (100, 2, [0, 99]), (90, 4, [0, 30, 59, 89])],
)
def test_linspace_takes_first_and_last_and_no_frame_twice(num_frames: int, count: int, expected: list[int]):
    assert FrameRule(RuleKind.LINSPACE, count).indices(num_frames) == expected


@pytest.mark.parametrize("kind", RuleKind)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_indices_are_ascending_and_inside_the_clip(kind: RuleKind, count: int):
    for num_frames in range(1, 400):
        indices = FrameRule(kind, count).indices(num_frames)
        assert indices == sorted(indices)
        assert 0 <= indices[0] <= indices[-1] < num_frames


@pytest.mark.parametrize("kind", RuleKind)
@pytest.mark.parametrize("num_frames", [0, -1])
def test_a_clip_without_frames_is_an_error(kind: RuleKind, num_frames: int):
    with pytest.raises(ValueError, match="cannot pick"):
        FrameRule(kind, 3).indices(num_frames)


def test_impossible_rules_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        FrameRule(RuleKind.PLLAVA, 0)
    with pytest.raises(ValueError, match="use pllava"):
        FrameRule(RuleKind.POINTS, 4)
    with pytest.raises(ValueError, match="nonsense"):
        FrameRule("nonsense", 4)  # type: ignore[arg-type]


def test_captioning_rule_follows_the_seed():
    assert FrameRule.for_captioning(3) == FrameRule(RuleKind.POINTS, 3)
    assert FrameRule.for_captioning(4) == FrameRule(RuleKind.PLLAVA, 4)


def test_rule_survives_a_recipe():
    rule = FrameRule("linspace", 64)  # type: ignore[arg-type]
    assert FrameRule(**json.loads(json.dumps(rule.to_json()))) == rule
