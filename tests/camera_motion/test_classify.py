import numpy as np
import pytest

from resources.camera_motion.classify import Label, grid_points, labels_of_grid, labels_of_transform

HD = (720, 1280)
PORTRAIT = (1280, 720)


def moved(right: float = 0, down: float = 0, zoom: float = 1, turn: float = 0, size: tuple[int, int] = HD):
    height, width = size
    cos, sin = zoom * np.cos(np.radians(turn)), zoom * np.sin(np.radians(turn))
    there = np.array([[1, 0, width / 2 + right], [0, 1, height / 2 + down], [0, 0, 1]])
    around = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return there @ around @ np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])


@pytest.mark.parametrize(
    ("transform", "label"),
    [
        (moved(), "static"),
        (moved(right=200), "pan_left"),
        (moved(right=-200), "pan_right"),
        (moved(down=200), "tilt_up"),
        (moved(down=-200), "tilt_down"),
        (moved(zoom=1.8), "zoom_in"),
        (moved(zoom=0.5), "zoom_out"),
        (moved(right=-200, down=200), "pan_right+tilt_up"),
        (moved(right=400, zoom=1.6), "pan_left+zoom_in"),
        (moved(right=179), "static"),
        (moved(right=181), "pan_left"),
        (moved(zoom=1.27), "static"),
        (moved(zoom=1.31), "zoom_in"),
        (moved(turn=40), ""),
    ],
)
def test_a_transform_gets_the_seeds_labels(transform, label):
    assert "+".join(labels_of_transform(transform, HD, 0.25)) == label


def test_the_threshold_counts_in_shorter_sides_for_tilts_too():
    assert labels_of_transform(moved(down=190, size=PORTRAIT), PORTRAIT, 0.25) == (Label.TILT_UP,)
    assert labels_of_transform(moved(down=190, size=PORTRAIT), PORTRAIT, 0.3) == (Label.STATIC,)


def test_one_moving_edge_and_three_still_ones_are_static_only_where_opposite_edges_agree():
    start = grid_points(HD)
    end = start.copy()
    end[0] += (0, 300)
    assert labels_of_grid(start, end, HD, 0.25) == (Label.STATIC,)
    end[:, 0] += (300, 0)
    assert labels_of_grid(start, end, HD, 0.25) == ()
