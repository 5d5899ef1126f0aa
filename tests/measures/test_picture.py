"""Each number beside the formula it is named after, and on pictures where it is known."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import laplace
from skimage.color import rgb2ycbcr
from skimage.data import astronaut, chelsea
from skimage.exposure import is_low_contrast
from skimage.filters import gaussian

from resources.measures.picture import brightness, colourfulness, contrast, sharpness, within_bars

PHOTOS = {"astronaut": astronaut(), "cat": chelsea()}


def gray_of(rgb):
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


@pytest.mark.parametrize("name", PHOTOS)
def test_brightness_and_contrast_are_mean_and_spread_of_the_luma(name):
    luma = (rgb2ycbcr(PHOTOS[name])[..., 0] - 16) / 219
    assert brightness(gray_of(PHOTOS[name])) == pytest.approx(luma.mean(), abs=0.002)
    assert contrast(gray_of(PHOTOS[name])) == pytest.approx(luma.std(), abs=0.002)


def test_black_white_and_stripes_are_the_ends_of_the_scales():
    black, white = np.zeros((40, 60), np.uint8), np.full((40, 60), 255, np.uint8)
    stripes = np.concatenate([black, white])
    assert (brightness(black), brightness(white), brightness(stripes)) == pytest.approx((0, 1, 0.5))
    assert (contrast(black), contrast(stripes)) == pytest.approx((0, 0.5))


def test_a_faded_photo_has_the_contrast_that_is_left():
    gray = gray_of(PHOTOS["cat"])
    faded = (gray * 0.1 + 100).round().astype(np.uint8)
    assert contrast(faded) == pytest.approx(0.1 * contrast(gray), rel=0.02)
    assert is_low_contrast(faded, fraction_threshold=0.1)


@pytest.mark.parametrize("name", PHOTOS)
def test_sharpness_is_the_variance_of_the_laplacian(name):
    gray = gray_of(PHOTOS[name])
    assert sharpness(gray) == pytest.approx(laplace(gray.astype(float), mode="mirror").var(), rel=1e-6)


def test_the_more_blur_the_less_sharpness():
    gray = gray_of(PHOTOS["astronaut"])
    blurred = [(gaussian(gray, sigma) * 255).astype(np.uint8) for sigma in (0.5, 1, 2, 4)]
    measured = [sharpness(one) for one in (gray, *blurred)]
    assert measured == sorted(measured, reverse=True)
    assert measured[-1] < 0.01 * measured[0]


@pytest.mark.parametrize("name", PHOTOS)
def test_colourfulness_is_that_of_hasler_and_suesstrunk(name):
    red, green, blue = (PHOTOS[name][..., channel].astype(float) for channel in range(3))
    rg, yb = red - green, 0.5 * (red + green) - blue
    spread, mean = np.sqrt(rg.var() + yb.var()), np.sqrt(rg.mean() ** 2 + yb.mean() ** 2)
    assert colourfulness(PHOTOS[name]) == pytest.approx(spread + 0.3 * mean, rel=1e-4)


def test_gray_has_no_colour_and_half_the_saturation_has_half():
    photo = PHOTOS["astronaut"].astype(float)
    gray = photo.mean(axis=2, keepdims=True)
    half = ((photo + gray) / 2).round().astype(np.uint8)
    assert colourfulness(np.repeat(gray.astype(np.uint8), 3, axis=2)) == 0
    assert colourfulness(half) == pytest.approx(colourfulness(PHOTOS["astronaut"]) / 2, rel=0.02)


@pytest.mark.parametrize("bars", [(0, 0, 0, 0), (20, 20, 0, 0), (0, 0, 33, 31), (12, 14, 9, 7)])
def test_black_bars_end_where_the_picture_begins(bars):
    top, bottom, left, right = bars
    noise = np.random.default_rng(0).integers(0, 256, (3, 120, 200), np.uint8)
    shown = np.random.default_rng(1).integers(0, 20, (3, 120, 200), np.uint8)
    inside = np.s_[top : 120 - bottom, left : 200 - right]
    shown[:, *inside] = noise[:, *inside]
    assert within_bars(shown) == inside


def test_a_dark_clip_and_a_dark_half_are_no_bars():
    dark = np.full((3, 120, 200), 8, np.uint8)
    assert within_bars(dark) == np.s_[0:120, 0:200]
    dark[:, 60:, 20] = 200
    assert within_bars(dark)[0] == np.s_[0:120]
