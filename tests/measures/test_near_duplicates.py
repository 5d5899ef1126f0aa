"""Near-duplicates on clips that are copies, look alike for a while, or are strangers."""

import cv2
import numpy as np
import pytest

from resources.measures.near_duplicates import Clips, near_duplicates, similar_pairs
from resources.measures.phash import signature, words_of
from tests.camera_motion.moving_crop import shot

RNG = np.random.default_rng(0)


def clips(*takes: np.ndarray, seconds: list[float] | None = None) -> Clips:
    return Clips(words_of([signature(one) for one in takes]), np.array(seconds or [4.0] * len(takes)))


def take(seed: int = 0, frames: int = 64) -> np.ndarray:
    return shot(right=90, zoom=1.2, frames=frames, seed=seed)


def resized(frames: np.ndarray, factor: float) -> np.ndarray:
    return np.stack([cv2.resize(f, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) for f in frames])


@pytest.mark.parametrize(
    "copy",
    {
        "smaller": lambda f: resized(f, 0.4),
        "dimmed": lambda f: (f * 0.6 + 10).astype(np.uint8),
        "noisy": lambda f: np.clip(f + RNG.normal(0, 6, f.shape), 0, 255).astype(np.uint8),
        "cropped": lambda f: f[:, 3:-3, 5:-5],
        "start cut off": lambda f: f[5:],
        "end cut off": lambda f: f[:-5],
        "every second frame": lambda f: f[::2],
    }.values(),
)
def test_a_changed_copy_is_found_among_strangers(copy):
    strangers = [take(seed) for seed in range(1, 9)]
    kept = near_duplicates(clips(take(), *strangers, copy(take())))
    assert kept.tolist() == [0, *range(1, 9), 0]


def test_a_title_card_and_black_frames_in_common_make_no_duplicates():
    card = np.repeat(take(50, 1), 20, axis=0)
    black = np.zeros_like(card)
    takes = [np.concatenate([card, take(seed, 30), black]) for seed in range(6)]
    assert similar_pairs(clips(*takes)).tolist() == []


def test_black_clips_are_no_duplicates():
    assert similar_pairs(clips(*[np.zeros((64, 144, 256), np.uint8)] * 3)).tolist() == []


def test_a_clip_much_longer_is_another_clip():
    assert near_duplicates(clips(take(), take(), seconds=[4.0, 6.0])).tolist() == [0, 1]


def test_the_same_clip_backwards_is_another_clip():
    assert near_duplicates(clips(take(), take()[::-1])).tolist() == [0, 1]


def test_hundreds_of_copies_all_name_the_first():
    still = shot(frames=2)
    kept = near_duplicates(clips(take(), *[still] * 300, take(1)))
    assert kept.tolist() == [0, *[1] * 300, 301]


def test_each_that_is_left_out_is_itself_like_the_one_that_is_kept():
    steps = [shot(right=offset, frames=2)[1:] for offset in range(0, 60, 3)]
    made = clips(*[np.repeat(one, 2, axis=0) for one in steps])
    pairs = {tuple(pair) for pair in similar_pairs(made).tolist()}
    kept = near_duplicates(made)
    assert all((int(better), row) in pairs for row, better in enumerate(kept) if better != row)
    assert 1 < len(set(kept.tolist())) < len(kept)


def test_images_are_compared_by_their_one_picture():
    photo, other = shot(frames=1), shot(frames=1, seed=1)
    found = near_duplicates(clips(photo, resized(photo, 0.5), other, seconds=[0.0] * 3))
    assert found.tolist() == [0, 0, 2]


def test_thousands_of_random_signatures_have_nothing_in_common_and_flipped_bits_are_found():
    words = RNG.integers(1, 2**63, (20_000, 16, 4), dtype=np.uint64)
    copies = words[:500].copy()
    copies[..., 0] ^= np.uint64(1) << RNG.integers(0, 64, (500, 16), dtype=np.uint64)
    kept = near_duplicates(Clips(np.concatenate([words, copies]), np.full(20_500, 4.0)))
    assert kept.tolist() == [*range(20_000), *range(500)]
