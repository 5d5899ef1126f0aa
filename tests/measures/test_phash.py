import cv2
import imagehash
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut, camera, chelsea, coffee

from resources.measures.phash import MOMENTS, phash, signature, words_of
from tests.camera_motion.moving_crop import shot

PHOTOS = {
    "astronaut": cv2.cvtColor(astronaut(), cv2.COLOR_RGB2GRAY),
    "camera": camera(),
    "cat": cv2.cvtColor(chelsea(), cv2.COLOR_RGB2GRAY),
    "coffee": cv2.cvtColor(coffee(), cv2.COLOR_RGB2GRAY),
}


def bits(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


@pytest.mark.parametrize("name", PHOTOS)
def test_the_hash_is_that_of_imagehash_but_for_how_the_picture_is_shrunk(name):
    assert bits(phash(PHOTOS[name]), str(imagehash.phash(Image.fromarray(PHOTOS[name])))) <= 4


def test_half_of_the_bits_are_set_and_photos_differ_in_many():
    hashes = [phash(photo) for photo in PHOTOS.values()]
    assert all(bits(one, "0") == 32 for one in hashes)
    assert min(bits(a, b) for a in hashes for b in hashes if a != b) > 16


def test_size_and_light_change_few_bits():
    photo = PHOTOS["astronaut"]
    small = cv2.resize(photo, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    assert bits(phash(photo), phash(small)) <= 2
    assert bits(phash(photo), phash((photo * 0.6 + 20).astype(np.uint8))) <= 2


def test_a_blank_picture_has_no_hash():
    assert phash(np.full((90, 160), 200, np.uint8)) == "0" * 16


def test_a_signature_has_256_bits_of_each_sixteenth_of_a_clip_and_of_an_image_once():
    frames = shot(right=120, frames=64)
    words = words_of([signature(frames), signature(frames[::-1])])
    assert words.shape == (2, MOMENTS, 4)
    one = words_of([signature(frames[34:35])])
    assert one.shape == (1, 1, 4)
    assert words[0, 8].tolist() == one[0, 0].tolist()
    assert int(np.bitwise_count(one).sum()) == 128


def test_the_first_word_holds_the_lowest_frequencies():
    fine = PHOTOS["cat"] + np.random.default_rng(0).normal(0, 40, PHOTOS["cat"].shape)
    noisy = words_of([signature(np.clip(fine, 0, 255).astype(np.uint8)[None])])
    changed = np.bitwise_count(noisy ^ words_of([signature(PHOTOS["cat"][None])]))[0, 0]
    assert changed[0] < changed[1:].mean() / 2
