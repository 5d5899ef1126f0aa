"""Files measured in child processes: of their own pass, and of camera motion's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from resources.annotation.clip import Clip, Kind
from resources.annotation.declaration import Scene
from resources.annotation.outcome import ClipError
from resources.camera_motion.kind import CameraMotion
from resources.lake.lake import Lake
from resources.measures.kind import COLUMNS, Measures
from resources.video import FrameReader
from resources.video.workers import IsolatedWorkers
from tests.camera_motion.moving_crop import shot, write_mp4


class CountingWorkers(IsolatedWorkers):
    """Workers that say how often they were asked."""

    calls = 0

    def call(self, function: Callable[..., Any], *arguments: Any, timeout_s: float | None = None) -> Any:
        self.calls += 1
        return super().call(function, *arguments, timeout_s=timeout_s)


@pytest.fixture(scope="module")
def workers():
    with CountingWorkers(1, timeout_s=60) as pool:
        yield pool


@pytest.fixture
def scene(workers, tmp_path):
    return Scene(FrameReader(workers), workers, Lake(str(tmp_path / "home")), "run", print)


def answer(annotator, clip: Clip):
    return annotator.annotate([annotator.prepare(clip)])[0]


def spliced(folder: Path) -> Clip:
    path = write_mp4(folder / "clip.mp4", np.concatenate([shot(right=60), shot(seed=1)]))
    return Clip("a", path, content_id="abc", height=144, width=256, fps=10.0, duration_s=4.0)


def test_a_clip_has_every_column(scene, tmp_path):
    with Measures().open(scene) as annotators:
        details = answer(annotators["measures"], spliced(tmp_path)).details
    assert {name for name, _, _ in COLUMNS} <= details.keys()
    assert (details["cuts"], details["cut_times"]) == (1, [pytest.approx(2.0, abs=0.01)])
    assert 0.02 < details["motion"] < 0.25
    assert 0.3 < details["still_share"] < 0.7
    assert details["colourfulness"] < 1
    assert (len(details["phash"]), len(details["signature"])) == (16, 16 * 64)


def test_an_image_has_what_applies(scene, tmp_path):
    photo = np.zeros((720, 512, 3), np.uint8)
    photo[104:616] = astronaut()
    Image.fromarray(photo).save(tmp_path / "photo.png")
    with Measures().open(scene) as annotators:
        details = answer(annotators["measures"], Clip("a", tmp_path / "photo.png", Kind.IMAGE, "abc")).details
    assert [details[name] for name in ("motion", "still_share", "cuts")] == [None] * 3
    assert details["black_bars"] == pytest.approx(208 / 720, abs=0.02)
    assert details["brightness"] == pytest.approx(0.45, abs=0.03)
    assert (len(details["phash"]), len(details["signature"])) == (16, 64)


def test_camera_motion_measures_on_its_own_pass_and_says_the_same(scene, workers, tmp_path):
    clip = spliced(tmp_path)
    with Measures().open(scene) as alone, CameraMotion(measures=True).open(scene) as shared:
        expected = answer(alone["measures"], clip)
        asked = workers.calls
        motion = answer(shared["camera_motion"], clip)
        measured = answer(shared["measures"], clip)
        assert workers.calls == asked + 1
        assert shared["measures"].recipe == alone["measures"].recipe
    with CameraMotion().open(scene) as without:
        assert answer(without["camera_motion"], clip).details == motion.details
    assert measured == expected


def test_what_camera_motion_has_not_looked_at_in_this_run_is_read(scene, tmp_path):
    with CameraMotion(measures=True).open(scene) as shared:
        assert answer(shared["measures"], spliced(tmp_path)).details["cuts"] == 1


def test_tiny_pictures_have_no_motion_and_no_cuts(scene, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (6, 16, 300), np.uint8)
    path = write_mp4(tmp_path / "tiny.mp4", noise)
    with Measures().open(scene) as annotators:
        details = answer(annotators["measures"], Clip("a", path, height=16, width=300)).details
    assert (details["motion"], details["cuts"], details["still_share"]) == (None, None, 0)


def test_a_file_that_is_no_video_fails_with_its_kind(scene, tmp_path):
    (tmp_path / "notes.mp4").write_text("not a video")
    with Measures().open(scene) as annotators, pytest.raises(ClipError, match="decode_error"):
        annotators["measures"].prepare(Clip("a", tmp_path / "notes.mp4"))


@pytest.mark.parametrize(
    ("settings", "assets"),
    [
        (CameraMotion(), {"camera_motion": "cmotion"}),
        (CameraMotion(measures=True), {"camera_motion": "cmotion", "measures": "motion"}),
        (
            CameraMotion(name="second", measures=True),
            {"second": "second", "second_measures": "second_measures_motion"},
        ),
        (Measures(), {"measures": "motion"}),
    ],
)
def test_names_of_assets_and_first_columns(settings, assets):
    assert {one.asset: one.columns[0].name for one in settings.declares()} == assets
