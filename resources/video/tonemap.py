"""High dynamic range to 8-bit RGB: what a standard screen would show, not the washed-out code values."""

from functools import cache

import numpy as np

REFERENCE_WHITE_NITS = 203.0
PEAK_NITS = 1000.0
PEAK = PEAK_NITS / REFERENCE_WHITE_NITS
KNEE = 0.75
LUT_BITS = 12
LUMA_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)
BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)


def tonemap_pq(wide: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084 (HDR10), BT.2020 primaries, to sRGB: (H, W, 3) uint16 full scale to uint8."""
    return _to_srgb(_pq_curve()[wide >> (16 - LUT_BITS)])


def tonemap_hlg(wide: np.ndarray) -> np.ndarray:
    """ARIB STD-B67 (HLG), BT.2020 primaries, to sRGB: (H, W, 3) uint16 full scale to uint8.

    The scene light is brought to a 1000-nit screen by BT.2100's system gamma of 1.2.
    """
    scene = _hlg_curve()[wide >> (16 - LUT_BITS)]
    luma = scene @ LUMA_2020
    return _to_srgb(scene * PEAK * np.power(luma, np.float32(0.2))[..., None])


def _to_srgb(light: np.ndarray) -> np.ndarray:
    """Linear BT.2020 light, 1.0 = reference white, to sRGB; highlights roll off instead of clipping."""
    light = np.clip(light @ BT2020_TO_BT709.T, 0, PEAK)
    strongest = light.max(axis=-1, keepdims=True)
    excess = np.maximum(strongest - KNEE, 0) / (PEAK - KNEE)
    rolled = np.minimum(strongest, KNEE) + (1 - KNEE) * excess * (1 + _BEND) / (excess + _BEND)
    mapped = np.clip(light * (rolled / np.maximum(strongest, 1e-6)), 0, 1)
    steps = (1 << LUT_BITS) - 1
    return _srgb_curve()[np.rint(mapped * steps).astype(np.uint16)]


# Chosen so that the roll-off leaves the knee with slope 1: (1 - KNEE) (1 + b) / b = PEAK - KNEE.
_BEND = (1 - KNEE) / (PEAK - 1)


_CODES = np.linspace(0, 1, 1 << LUT_BITS, dtype=np.float64)


@cache
def _pq_curve() -> np.ndarray:
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = np.power(_CODES, 1 / m2)
    nits = 10_000 * np.power(np.maximum(root - c1, 0) / (c2 - c3 * root), 1 / m1)
    return (nits / REFERENCE_WHITE_NITS).astype(np.float32)


@cache
def _hlg_curve() -> np.ndarray:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(_CODES <= 0.5, _CODES**2 / 3, (np.exp((_CODES - c) / a) + b) / 12).astype(np.float32)


@cache
def _srgb_curve() -> np.ndarray:
    curve = np.where(_CODES <= 0.0031308, 12.92 * _CODES, 1.055 * np.power(_CODES, 1 / 2.4) - 0.055)
    return np.rint(255 * curve).astype(np.uint8)
