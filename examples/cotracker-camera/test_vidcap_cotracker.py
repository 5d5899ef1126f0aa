"""The package against a stand-in for CoTracker with the published constructor and call."""

import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from vidcap_cotracker import CoTracker
from vidcap_cotracker.annotator import motion_of_tracks

from resources.annotation.clip import Clip
from resources.annotation.declaration import Scene
from resources.annotation.outcome import AnnotatorError
from resources.camera_motion.classify import grid_points
from resources.video import FrameReader, IsolatedWorkers

HERE = Path(__file__).parent
SIZE = (96, 160)

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
def annotator(workers, checkpoint):
    settings = CoTracker(checkpoint=checkpoint, device="cpu")
    scene = Scene(FrameReader(workers), workers, lake=None, run_id="", log=print)
    with settings.open(scene) as annotators:
        yield annotators["cotracker"]


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


@pytest.fixture
def clip(tmp_path):
    """Ten frames; the stand-in invents their motion."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=10, width=SIZE[1], height=SIZE[0], pix_fmt="yuv420p")
        for shade in range(10):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((*SIZE, 3), shade, np.uint8))))
        file.mux(stream.encode())
    return Clip(id="a", path=path)


def test_the_entry_point_is_the_kind():
    declared = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["entry-points"][
        "vidcap.annotators"
    ]
    for name, value in declared.items():
        kind = EntryPoint(name, value, "vidcap.annotators").load()
        assert kind.model_fields["kind"].default == name


def test_a_checkpoint_is_loaded_and_its_tracks_are_classified(installed, annotator, clip):
    answer = annotator.annotate([annotator.prepare(clip)])[0]
    assert answer.value == "pan_left"
    assert answer.details["pan"] == pytest.approx(-54 / SIZE[1], abs=0.001)


def test_other_weights_are_another_recipe(annotator, checkpoint):
    before = annotator.recipe.fingerprint
    torch.save({"pixels_per_frame": torch.tensor([0.0, 6.0])}, checkpoint)
    assert annotator.recipe.fingerprint != before


def test_weights_that_do_not_fit_are_an_error_of_the_annotator(installed, annotator, checkpoint, clip):
    torch.save({"something_else": torch.zeros(1)}, checkpoint)
    with pytest.raises(AnnotatorError, match="cannot be loaded"):
        annotator.annotate([annotator.prepare(clip)])


def test_without_the_package_the_error_says_how_to_get_it(annotator, clip):
    with pytest.raises(AnnotatorError, match="pip install"):
        annotator.annotate([annotator.prepare(clip)])


def test_a_checkpoint_that_is_not_there_is_told_with_what_to_download(annotator, checkpoint):
    checkpoint.unlink()
    with pytest.raises(AnnotatorError, match=r"scaled_offline\.pth"):
        _ = annotator.recipe


@pytest.mark.parametrize("settings", [{}, {"checkpoint": "a.pth", "threshold": 1.5}])
def test_an_entry_without_a_checkpoint_or_with_a_senseless_threshold_is_refused(settings):
    with pytest.raises(ValidationError):
        CoTracker(**settings)


def test_points_that_are_lost_still_give_labels_but_no_numbers():
    start = grid_points(SIZE).reshape(-1, 2)
    tracks = np.stack([start, start + np.array([80, 0])])
    visible = np.stack([np.ones(100, bool), np.zeros(100, bool)])
    motion = motion_of_tracks(tracks, visible, SIZE, 0.25)
    assert (motion.label, motion.pan, motion.confidence) == ("pan_left", None, 0.0)
