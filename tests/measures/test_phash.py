import cv2
import imagehash
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut, camera, chelsea, coffee

from resources.measures.phash import HASHES, clip_hash, hashes_of, phash
from tests.camera_motion.moving_crop import shot

PHOTOS = {
    "astronaut": cv2.cvtColor(astronaut(), cv2.COLOR_RGB2GRAY),
    "camera": camera(),
    "cat": cv2.cvtColor(chelsea(), cv2.COLOR_RGB2GRAY),
    "coffee": cv2.cvtColor(coffee(), cv2.COLOR_RGB2GRAY),
}


@pytest.mark.parametrize("name", PHOTOS)
def test_the_hash_is_that_of_imagehash_but_for_how_the_picture_is_shrunk(name):
    theirs = int(str(imagehash.phash(Image.fromarray(PHOTOS[name]))), 16)
    assert (phash(PHOTOS[name]) ^ theirs).bit_count() <= 4


def test_half_of_the_bits_are_set_and_photos_differ_in_many():
    hashes = [phash(photo) for photo in PHOTOS.values()]
    assert all(hash_.bit_count() == 32 for hash_ in hashes)
    assert min((a ^ b).bit_count() for a in hashes for b in hashes if a != b) > 16


def test_size_and_light_change_few_bits():
    photo = PHOTOS["astronaut"]
    small = cv2.resize(photo, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    dimmed = (photo * 0.6 + 20).astype(np.uint8)
    assert (phash(photo) ^ phash(small)).bit_count() <= 2
    assert (phash(photo) ^ phash(dimmed)).bit_count() <= 2


def test_a_blank_picture_has_no_hash():
    assert phash(np.full((90, 160), 200, np.uint8)) == 0


def test_a_clip_has_one_hash_for_each_sixteenth_of_it_and_an_image_one():
    frames = shot(right=120, frames=64)
    hashes = hashes_of([clip_hash(frames), clip_hash(frames[::-1])])
    assert hashes.shape == (2, HASHES)
    assert [int(one) for one in hashes[0]] == [phash(frames[4 * part + 2]) for part in range(HASHES)]
    assert clip_hash(frames[:1]) == f"{phash(frames[0]):016x}"
