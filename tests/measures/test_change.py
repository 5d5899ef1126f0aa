"""Motion, stillness and cuts on clips that were made to have them."""

import cv2
import numpy as np
import pytest

from resources.measures.change import cuts, motion, still_share
from tests.camera_motion.moving_crop import HEIGHT, shot, write_mp4

CLOCK = [number / 10 for number in range(200)]


@pytest.mark.parametrize("pixels", [0, 20, 60, 150])
def test_motion_is_the_speed_of_the_picture_in_shorter_sides_a_second(pixels):
    frames = shot(right=pixels, frames=20)
    assert motion(frames, CLOCK) == pytest.approx(pixels / HEIGHT / 1.9, rel=0.1, abs=0.005)


def test_half_the_frames_a_second_are_the_same_motion():
    frames = shot(right=80, frames=41)
    assert motion(frames[::2], CLOCK[:41:2]) == pytest.approx(motion(frames, CLOCK), rel=0.05)


def test_what_moves_in_a_part_of_the_picture_counts_by_its_area():
    still, panned = shot(frames=20), shot(right=100, frames=20)
    half = np.concatenate([still[:, :, :128], panned[:, :, 128:]], axis=2)
    assert motion(half, CLOCK) == pytest.approx(motion(panned, CLOCK) / 2, rel=0.15)


def test_a_cut_is_no_motion():
    frames = np.concatenate([shot(frames=10), shot(frames=10, seed=1)])
    assert motion(frames, CLOCK, [10]) < 0.01 < motion(frames, CLOCK)


@pytest.mark.parametrize("frozen", [0, 10, 20])
def test_still_share_is_the_part_in_which_nothing_moves(frozen):
    moving = shot(right=60, frames=21 - frozen)
    frames = np.concatenate([moving, np.repeat(moving[-1:], frozen, axis=0)])
    assert still_share(frames) == frozen / 20


def test_noise_of_compression_is_still_and_something_small_that_moves_is_not():
    rng = np.random.default_rng(0)
    still = shot(frames=12)
    noisy = np.clip(still + rng.normal(0, 1.5, still.shape), 0, 255).astype(np.uint8)
    assert still_share(noisy) == 1
    for number, frame in enumerate(noisy):
        frame[40:46, 10 + 8 * number : 18 + 8 * number] = 255
    assert still_share(noisy) == 0


@pytest.mark.parametrize("kind", ["pan", "zoom", "flicker", "flash", "fade", "object", "noise"])
def test_one_shot_has_no_cut(kind):
    rng = np.random.default_rng(0)
    frames = shot(right=200 if kind == "pan" else 0, zoom=2.0 if kind == "zoom" else 1).astype(float)
    match kind:
        case "flicker":
            frames *= rng.uniform(0.5, 1.1, 20)[:, None, None]
        case "flash":
            frames[9] = 0.3 * frames[9] + 178
        case "fade":
            frames *= np.linspace(0.05, 1, 20)[:, None, None]
        case "object":
            for number, frame in enumerate(frames):
                frame[20:120, 10 * number : 10 * number + 60] = shot(frames=1, seed=5)[0][:100, :60]
        case "noise":
            frames += rng.normal(0, 25, frames.shape)
    assert cuts(np.clip(frames, 0, 255).astype(np.uint8)) == []


def test_every_cut_is_found_between_shots_of_any_motion():
    shots = [
        shot(frames=6),
        shot(right=90, frames=9, seed=1),
        shot(zoom=1.6, frames=7, seed=2),
        shot(down=-60, frames=8, seed=3),
    ]
    assert cuts(np.concatenate(shots)) == [6, 15, 22]


def test_a_cut_to_black_and_back_is_a_cut_and_black_itself_is_none():
    black = np.zeros((6, HEIGHT, 256), np.uint8)
    assert cuts(np.concatenate([black, shot(frames=6), black])) == [6, 12]
    assert cuts(black) == []


def test_cuts_are_those_of_pyscenedetect(tmp_path):
    scenedetect = pytest.importorskip("scenedetect", reason="pip install --no-deps scenedetect")
    shots = [shot(right=20 * seed, frames=18 + seed, seed=seed) for seed in range(6)]
    frames = np.concatenate(shots)
    path = write_mp4(tmp_path / "spliced.mp4", frames, fps=24)
    detector = scenedetect.ContentDetector(luma_only=True, min_scene_len=5)
    found = [start.frame_num for start, _ in scenedetect.detect(str(path), detector)][1:]
    assert cuts(frames) == found == np.cumsum([len(one) for one in shots])[:-1].tolist()


def test_portrait_is_measured_as_landscape_is():
    tall = np.stack([cv2.rotate(frame, cv2.ROTATE_90_CLOCKWISE) for frame in shot(right=50)])
    assert motion(tall, CLOCK) == pytest.approx(motion(shot(right=50), CLOCK), rel=0.1)
