"""What texts say of the camera, and what contradicts a label."""

import pytest

from resources.words.camera import camera_labels, contradiction


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("The camera pans left.", {"pan_left"}),
        ("A slow pan to the right follows the car.", {"pan_right"}),
        ("The camera pans slowly to the left and tilts up.", {"pan_left", "tilt_up"}),
        ("The camera pans from left to right.", {"pan_right"}),
        ("The view tilts slightly downwards.", {"tilt_down"}),
        ("We zoom in on her face.", {"zoom_in"}),
        ("The camera zooms slowly out.", {"zoom_out"}),
        ("The camera moves closer.", {"zoom_in"}),
        ("The camera pulls back to reveal a town.", {"zoom_out"}),
        ("A static shot of a lake.", {"static"}),
        ("The camera remains completely still.", {"static"}),
        ("The camera does not move.", {"static"}),
        ("The camera does not pan left.", set()),
        ("Without zooming in, the shot holds on her.", set()),
        ("A man moves in with his sister.", set()),
        ("She pushes in the chair and walks away.", set()),
        ("A frying pan stands left of the stove.", set()),
        ("A still lake under a clear sky.", set()),
        ("He looks up and turns left.", set()),
    ],
)
def test_what_a_text_says_of_the_camera(text: str, labels: set[str]) -> None:
    assert camera_labels(text) == labels


@pytest.mark.parametrize(
    ("text", "cmotion", "contradicts"),
    [
        ("The camera pans left.", "pan_right", True),
        ("The camera pans left.", "pan_left+tilt_up", False),
        ("The camera pans left and zooms in.", "pan_left", True),
        ("The camera is static.", "zoom_in", True),
        ("The camera zooms out.", "static", True),
        ("A dog runs.", "pan_left", False),
        ("The camera pans left.", "unclassified", False),
        ("The camera pans left.", None, False),
    ],
)
def test_a_contradiction_is_what_the_label_does_not_hold(
    text: str, cmotion: str | None, contradicts: bool
) -> None:
    assert (contradiction(text, cmotion) is not None) == contradicts
