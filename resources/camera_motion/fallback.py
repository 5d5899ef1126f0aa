"""Candidates for large jumps between neighbouring frames (whip pans, dropped frames)."""

import cv2
import numpy as np

from resources.camera_motion.hypotheses import propose
from resources.camera_motion.tracking import Frame, Transform, follow

MAX_FEATURES = 500
RATIO = 0.8


def far_candidates(a: Frame, b: Frame) -> list[Transform]:
    """Similarities found without assuming that little changed: phase correlation, then SIFT matches."""
    shift = shift_by_phase(a, b)
    return [shift, *propose(*follow(a, b, shift)), *match_features(a, b)]


def shift_by_phase(a: Frame, b: Frame) -> Transform:
    """The translation that lines up the Fourier phases of the two pictures."""
    height, width = a.gray.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    (dx, dy), _ = cv2.phaseCorrelate(np.float32(a.local), np.float32(b.local), window)
    return np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]], np.float64)


def match_features(a: Frame, b: Frame) -> list[Transform]:
    """Similarities that many SIFT matches agree on, refined by following corners from there."""
    sift = cv2.SIFT.create(MAX_FEATURES)
    points_a, words_a = sift.detectAndCompute(a.local, None)
    points_b, words_b = sift.detectAndCompute(b.local, None)
    if words_a is None or words_b is None or len(words_b) < 2:
        return []
    pairs = cv2.BFMatcher().knnMatch(words_a, words_b, k=2)
    good = [near for near, far in pairs if near.distance < RATIO * far.distance]
    if not good:
        return []
    start = np.array([points_a[match.queryIdx].pt for match in good], np.float32)
    end = np.array([points_b[match.trainIdx].pt for match in good], np.float32)
    coarse = propose(start, end)
    refined = [better for guess in coarse for better in propose(*follow(a, b, guess))]
    return [*coarse, *refined]
