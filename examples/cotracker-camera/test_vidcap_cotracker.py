"""The CoTracker backend against a stand-in package with the published constructor and call."""

import sys

import numpy as np
import pytest
import torch

from resources.annotation.clip import Clip
from resources.annotation.outcome import AnnotatorError
from resources.camera_motion.annotator import CameraMotionAnnotator
from resources.camera_motion.backends import camera_motion_annotator
from resources.camera_motion.classify import grid_points
from resources.camera_motion.cotracker import motion_of_tracks
from resources.video.workers import IsolatedWorkers
from tests.camera_motion.moving_crop import SIZE, shot, write_mp4
from vidcap_assets.collection.blocks import CameraResource

PACKAGE = """
import torch

class CoTrackerPredictor(torch.nn.Module):
    def __init__(self, checkpoint="x.pth", offline=True, v2=False, window_len=60):
        super().__init__()
        assert (offline, v2, window_len) == (True, False, 60)
        self.pixels_per_frame = torch.nn.Parameter(torch.zeros(2))
        self.load_state_dict(torch.load(checkpoint))

    def forward(self, video, grid_size):
        frames, height, width = video.shape[1], video.shape[3], video.shape[4]
        ys, xs = torch.meshgrid(
            torch.linspace(5, height - 5, grid_size), torch.linspace(5, width - 5, grid_size), indexing="ij"
        )
        start = torch.stack([xs, ys], dim=-1).reshape(1, 1, -1, 2)
        tracks = start + torch.arange(frames).reshape(1, -1, 1, 1) * self.pixels_per_frame
        return tracks, torch.ones(tracks.shape[:3], dtype=torch.bool)
"""


@pytest.fixture(scope="module")
def workers():
    with IsolatedWorkers(1, timeout_s=60) as pool:
        yield pool


@pytest.fixture
def installed(tmp_path, monkeypatch):
    (tmp_path / "site" / "cotracker").mkdir(parents=True)
    (tmp_path / "site" / "cotracker" / "__init__.py").touch()
    (tmp_path / "site" / "cotracker" / "predictor.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("VIDCAP_CACHE", str(tmp_path / "cache"))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "cotracker"]:
        del sys.modules[name]


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "scaled_offline.pth"
    torch.save({"pixels_per_frame": torch.tensor([6.0, 0.0])}, path)
    return path


def test_a_checkpoint_is_loaded_and_its_tracks_are_classified(installed, checkpoint, workers, tmp_path):
    annotator = camera_motion_annotator(workers, backend="cotracker", checkpoint=checkpoint, device="cpu")
    path = write_mp4(tmp_path / "clip.mp4", shot(frames=10))
    answer = annotator.annotate([annotator.prepare(Clip(id="a", path=path))])[0]
    assert answer.value == "pan_left"
    assert answer.details["pan"] == pytest.approx(-54 / SIZE[1], abs=0.001)
    assert annotator.recipe.settings["backend"] == "cotracker"


def test_weights_that_do_not_fit_are_an_error_of_the_annotator(installed, checkpoint, workers, tmp_path):
    torch.save({"something_else": torch.zeros(1)}, checkpoint)
    annotator = camera_motion_annotator(workers, backend="cotracker", checkpoint=checkpoint, device="cpu")
    path = write_mp4(tmp_path / "clip.mp4", shot(frames=4))
    with pytest.raises(AnnotatorError, match="cannot be loaded"):
        annotator.annotate([annotator.prepare(Clip(id="a", path=path))])


def test_without_the_package_the_error_says_how_to_get_it(checkpoint, workers, tmp_path):
    annotator = camera_motion_annotator(workers, backend="cotracker", checkpoint=checkpoint, device="cpu")
    path = write_mp4(tmp_path / "clip.mp4", shot(frames=4))
    with pytest.raises(AnnotatorError, match="pip install"):
        annotator.annotate([annotator.prepare(Clip(id="a", path=path))])


@pytest.mark.parametrize("name", ["missing.pth", None])
def test_without_a_checkpoint_the_error_says_what_to_download(name, workers, tmp_path):
    with pytest.raises(AnnotatorError, match=r"scaled_offline\.pth"):
        _ = camera_motion_annotator(workers, backend="cotracker", checkpoint=name and tmp_path / name).recipe


def test_the_default_backend_needs_no_weights(workers):
    assert isinstance(camera_motion_annotator(workers), CameraMotionAnnotator)


def test_an_unknown_backend_is_refused(workers):
    with pytest.raises(AnnotatorError, match="tracks, cotracker"):
        camera_motion_annotator(workers, backend="raft")


def test_points_that_are_lost_still_give_labels_but_no_numbers():
    start = grid_points(SIZE).reshape(-1, 2)
    tracks = np.stack([start, start + np.array([80, 0])])
    visible = np.stack([np.ones(100, bool), np.zeros(100, bool)])
    motion = motion_of_tracks(tracks, visible, SIZE, 0.25)
    assert (motion.label, motion.pan, motion.confidence) == ("pan_left", None, 0.0)


def test_the_dagster_resource_offers_the_same_backends(workers):
    assert isinstance(CameraResource().annotator(workers), CameraMotionAnnotator)
    with pytest.raises(AnnotatorError, match="needs a checkpoint"):
        CameraResource(backend="cotracker").annotator(workers)
