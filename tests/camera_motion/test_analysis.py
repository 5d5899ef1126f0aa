import cv2
import numpy as np
import pytest

from resources.camera_motion.analysis import analyse
from resources.camera_motion.motion import Reason
from tests.camera_motion.moving_crop import FRAMES, HEIGHT, SIZE, WIDTH, shot

FAR = 0.4 * HEIGHT


def test_numbers_say_how_far_the_camera_moved():
    motion = analyse(shot(right=-64, down=36, zoom=1.3, roll=-12), SIZE)
    assert motion.pan == pytest.approx(64 / WIDTH, abs=0.01)
    assert motion.tilt == pytest.approx(36 / HEIGHT, abs=0.01)
    assert motion.zoom == pytest.approx(1.3, abs=0.02)
    assert motion.roll_deg == pytest.approx(12, abs=0.5)
    assert motion.shake == pytest.approx(0, abs=0.003)
    assert motion.confidence > 0.8


def test_numbers_do_not_depend_on_the_size_of_the_frames():
    frames = shot(right=90)
    half = np.stack([cv2.resize(f, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA) for f in frames])
    assert analyse(half, (1080, 1920)).pan == pytest.approx(-90 / WIDTH, abs=0.01)


def test_a_shaking_camera_is_static_but_not_steady():
    rng = np.random.default_rng(1)
    still = shot(frames=1)[0]
    offsets = rng.normal(0, 0.02 * HEIGHT, (FRAMES, 2))
    shaken = [
        cv2.warpAffine(
            still, np.float32([[1, 0, x], [0, 1, y]]), (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT
        )
        for x, y in offsets
    ]
    motion = analyse(np.stack(shaken), SIZE)
    assert motion.label == "static"
    assert motion.shake == pytest.approx(0.02 * np.sqrt(2), rel=0.5)


def test_frames_in_which_nothing_shows_are_not_called_static():
    motion = analyse(np.full((FRAMES, *SIZE), 17, np.uint8), SIZE)
    assert (motion.label, motion.reason) == ("unclassified", Reason.NO_TEXTURE)


@pytest.mark.parametrize("size", [(1, 50), (50, 1), (1, 1), (7, 90)])
def test_pictures_too_narrow_to_follow_are_no_error(size):
    noise = np.random.default_rng(0).integers(0, 256, (FRAMES, *size), np.uint8)
    motion = analyse(noise, size)
    assert (motion.label, motion.reason) == ("unclassified", Reason.NO_TEXTURE)


def test_a_single_frame_says_nothing_of_the_camera():
    motion = analyse(shot(frames=1), SIZE)
    assert (motion.label, motion.reason, motion.pan) == ("unclassified", Reason.SINGLE_FRAME, None)


def test_a_roll_fits_no_label_but_has_its_number():
    motion = analyse(shot(roll=38), SIZE)
    assert (motion.label, motion.reason) == ("unclassified", Reason.INCONSISTENT)
    assert motion.roll_deg == pytest.approx(-38, abs=1)


def test_pictures_without_a_common_motion_are_inconsistent():
    rng = np.random.default_rng(0)
    boiling = [
        cv2.GaussianBlur(rng.uniform(0, 255, SIZE).astype(np.float32), (0, 0), 6) for _ in range(FRAMES)
    ]
    stretched = np.clip((np.stack(boiling) - 127) * 8 + 127, 0, 255).astype(np.uint8)
    assert analyse(stretched, SIZE).label == "unclassified"


def test_cuts_are_found_with_their_times():
    shots = [shot(frames=12), shot(right=30, frames=9, seed=1), shot(frames=14, seed=2)]
    frames = np.concatenate(shots)
    motion = analyse(frames, SIZE, times=[i / 10 for i in range(len(frames))])
    assert (motion.label, motion.reason) == ("unclassified", Reason.CUT)
    assert motion.cuts == (1.2, 2.1)


@pytest.mark.parametrize("length", [4, 8, 16])
def test_a_dissolve_is_a_cut_although_no_frame_differs_much_from_the_next(length):
    share = np.clip((np.arange(40) - 12) / length, 0, 1)[:, None, None]
    frames = np.rint(shot(frames=1) * (1 - share) + shot(frames=1, seed=1) * share).astype(np.uint8)
    motion = analyse(frames, SIZE)
    assert (motion.label, motion.reason) == ("unclassified", Reason.CUT)
    assert motion.cuts[0] == pytest.approx(12 + length / 2, abs=5)


def test_an_object_crossing_the_picture_is_not_the_camera():
    frames = shot(frames=FRAMES)
    thing = shot(frames=1, seed=5)[0][:70, :90]
    for number, frame in enumerate(frames):
        left = 10 + 7 * number
        frame[40:110, left : left + 90] = thing
    assert analyse(frames, SIZE).label == "static"


@pytest.mark.parametrize("shade", [0, 255])
def test_bars_around_the_picture_do_not_stand_for_the_camera(shade):
    top, left = 16, 60
    frames = shot(right=60, zoom=1.9, seed=1)
    shown = np.full_like(frames, shade)
    inside = np.s_[:, top : HEIGHT - top, left : WIDTH - left]
    shown[inside] = frames[inside]
    motion = analyse(shown, (1080, 1920))
    assert "zoom_in" in motion.labels
    assert motion.zoom == pytest.approx(1.9, abs=0.03)
    assert motion.pan == pytest.approx(-60 / WIDTH, abs=0.01)


@pytest.mark.parametrize(
    ("motion", "label"), [({"right": FAR}, "pan_left"), ({"zoom": 1.9}, "zoom_in"), ({}, "static")]
)
def test_a_picture_out_of_focus_has_corners_at_a_smaller_size(motion, label):
    sharp = shot(**motion, seed=3)
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 10) for frame in sharp])
    assert analyse(blurred, SIZE).label == label


@pytest.mark.parametrize("kind", ["fade in", "flicker", "dark"])
def test_light_that_changes_is_not_motion(kind):
    rng = np.random.default_rng(2)
    gains = {
        "fade in": np.linspace(0.05, 1, FRAMES),
        "flicker": rng.uniform(0.5, 1.1, FRAMES),
        "dark": np.full(FRAMES, 0.08),
    }[kind]
    frames = shot(right=FAR) * gains[:, None, None]
    assert analyse(np.rint(frames).astype(np.uint8), SIZE).label == "pan_left"


def test_a_whip_pan_is_a_pan_and_no_cut():
    still, there = shot(frames=1)[0], shot(right=FAR, frames=1)[0]
    assert np.array_equal(still, there)
    path = [0.0] * 8 + [0.33 * FAR, 0.66 * FAR] + [FAR] * 8
    frames = []
    for before, now in zip([0.0, *path], path, strict=False):
        view = shot(right=now, frames=2)[1]
        smear = int(now - before)
        frames.append(cv2.blur(view, (smear, 1)) if smear > 1 else view)
    motion = analyse(np.stack(frames), SIZE)
    assert (motion.label, motion.cuts) == ("pan_left", ())


def test_the_same_frames_give_the_same_answer():
    frames = shot(right=50, zoom=1.4)
    assert analyse(frames, SIZE) == analyse(frames.copy(), SIZE)


def test_a_long_pan_is_followed_by_windows():
    motion = analyse(shot(right=-300, frames=150), SIZE)
    assert motion.label == "pan_right"
    assert motion.pan == pytest.approx(300 / WIDTH, abs=0.03)


def test_frames_of_a_wrong_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(T, H, W\)"):
        analyse(np.zeros((3, 4), np.uint8), SIZE)
