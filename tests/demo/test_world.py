import numpy as np
import pytest

from tests.demo.held_out import agreement, parse
from tools.demo_world.scene import place, random_scene
from tools.demo_world.world import ACTIONS, MOVES, Slots


@pytest.mark.parametrize(
    ("slots", "caption"),
    [
        (
            Slots("white", "circle", "red", "small", "moves from left to right"),
            "A small red circle moves from left to right on a white background.",
        ),
        (Slots("black", "ring", "orange", None, "grows"), "An orange ring grows on a black background."),
        (Slots("cyan", "heart", "blue", "large"), "A large blue heart on a cyan background."),
        (Slots("brown"), "The camera looks over a textured brown surface."),
    ],
)
def test_a_caption_says_exactly_its_slots(slots: Slots, caption: str) -> None:
    assert slots.caption == caption
    assert parse(f" {caption}\n") == slots


@pytest.mark.parametrize(
    "caption",
    [
        "",
        "A red circle.",
        "A small red dog moves from left to right on a white background.",
        "A red circle on",
    ],
)
def test_what_is_no_sentence_of_the_world_has_no_slots(caption: str) -> None:
    assert parse(caption) is None


def test_agreement_is_judged_slot_by_slot() -> None:
    truth = Slots("white", "circle", "red", "small", "stays still")
    other = Slots("white", "star", "red", "small", "grows")
    assert agreement(truth, other) == {
        "background": True, "shape": False, "colour": True, "size": True, "action": False,
    }  # fmt: skip
    assert not any(agreement(truth, None).values())


def test_tags_name_the_shape_and_what_it_does() -> None:
    assert Slots("white", "star", "red", "small", "grows").objects == ["star"]
    assert Slots("white", "star", "red", "small", "grows").actions == ["grows"]
    assert Slots("white", "star", "red", "small", "stays still").actions == []
    assert Slots("gray").objects == Slots("gray").actions == []


@pytest.mark.parametrize("action", ACTIONS)
def test_the_object_does_what_its_action_says(action: str) -> None:
    scene = place(Slots("gray", "square", "red", "small", action), np.random.default_rng(1))
    (x0, y0, r0), (x1, y1, r1) = scene.start, scene.end
    moved = {
        "moves from left to right": x1 - x0,
        "moves from right to left": x0 - x1,
        "moves from top to bottom": y1 - y0,
        "moves from bottom to top": y0 - y1,
    }
    assert {name for name, distance in moved.items() if distance > 0.2} == {action} & set(MOVES)
    assert (r1 > 1.5 * r0, r0 > 1.5 * r1) == (action == "grows", action == "shrinks")


@pytest.mark.parametrize(("height", "width"), [(180, 320), (320, 180), (200, 200)])
@pytest.mark.parametrize("t", [0.0, 0.5, 1.0])
def test_the_object_stays_inside_the_central_square(height: int, width: int, t: float) -> None:
    rng = np.random.default_rng(2)
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    for _ in range(20):
        mask = random_scene(rng).mask(t, height, width)
        assert mask[top : top + short, left : left + short].sum() == mask.sum() > 0


@pytest.mark.parametrize(("camera", "content_moves"), [("pan_right", (-1, 0)), ("tilt_down", (0, -1))])
def test_the_camera_moves_against_its_content(camera: str, content_moves: tuple[int, int]) -> None:
    import cv2

    scene = random_scene(np.random.default_rng(3), surface=True)
    scene = type(scene)(scene.slots, scene.background_rgb, camera=camera, texture_seed=5)
    before, after = (cv2.cvtColor(scene.draw(t, 128, 128), cv2.COLOR_RGB2GRAY) for t in (0.45, 0.55))
    (dx, dy), _ = cv2.phaseCorrelate(np.float32(before), np.float32(after))
    assert (round(dx / 6.4), round(dy / 6.4)) == content_moves
