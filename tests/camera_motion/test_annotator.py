import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from resources.annotation.clip import Clip, Kind
from resources.annotation.loop import LoopOptions, annotate_shard
from resources.annotation.outcome import ClipError, ErrorKind
from resources.camera_motion.annotator import Analysed, CameraMotionAnnotator
from resources.camera_motion.kind import CameraMotion
from resources.camera_motion.motion import Reason, unclassified
from resources.lake.lake import Lake
from resources.measures.overview import frame_rule
from resources.video.workers import IsolatedWorkers
from tests.camera_motion.moving_crop import HEIGHT, SIZE, shot, write_mp4

FAR = 0.4 * HEIGHT


@pytest.fixture(scope="module")
def workers():
    with IsolatedWorkers(1, timeout_s=60) as pool:
        yield pool


def clip_of(path: Path, frames: int = 20, kind: Kind = Kind.VIDEO) -> Clip:
    return Clip(
        id=path.stem, path=path, kind=kind, height=SIZE[0], width=SIZE[1], fps=10.0, duration_s=frames / 10
    )


def annotate(annotator: CameraMotionAnnotator, clip: Clip):
    return annotator.annotate([annotator.prepare(clip)])[0]


@pytest.mark.parametrize(
    ("motion", "label"),
    [
        ({"right": FAR}, "pan_left"),
        ({"right": -FAR}, "pan_right"),
        ({"down": FAR}, "tilt_up"),
        ({"down": -FAR}, "tilt_down"),
        ({"zoom": 1.8}, "zoom_in"),
        ({"zoom": 0.55}, "zoom_out"),
        ({}, "static"),
        ({"roll": 38}, "unclassified"),
        ({"right": -FAR, "down": FAR}, "pan_right+tilt_up"),
        ({"right": 0.55 * HEIGHT, "zoom": 1.6}, "pan_left+zoom_in"),
    ],
)
def test_a_crop_moving_through_a_picture_gets_its_label_from_an_mp4(motion, label, workers, tmp_path):
    path = write_mp4(tmp_path / "clip.mp4", shot(**motion))
    answer = annotate(CameraMotionAnnotator(workers), clip_of(path))
    assert answer.value == label
    assert json.loads(json.dumps(answer.details))["labels"] == label.split("+")


def test_the_threshold_decides_what_counts_as_motion(workers, tmp_path):
    clip = clip_of(write_mp4(tmp_path / "clip.mp4", shot(right=0.3 * HEIGHT)))
    assert annotate(CameraMotionAnnotator(workers, threshold=0.25), clip).value == "pan_left"
    assert annotate(CameraMotionAnnotator(workers, threshold=0.35), clip).value == "static"


def test_a_cut_is_timed_by_the_clock_of_the_file(workers, tmp_path):
    path = write_mp4(tmp_path / "clip.mp4", np.concatenate([shot(frames=12), shot(frames=8, seed=3)]))
    answer = annotate(CameraMotionAnnotator(workers), clip_of(path))
    assert (answer.value, answer.details["reason"]) == ("unclassified", "cut")
    assert answer.details["cuts"] == [pytest.approx(1.2, abs=0.01)]


def test_a_video_of_one_frame_is_unclassified_not_static(workers, tmp_path):
    video = annotate(
        CameraMotionAnnotator(workers), clip_of(write_mp4(tmp_path / "one.mp4", shot(frames=1)), frames=1)
    )
    assert (video.value, video.details["reason"]) == ("unclassified", "single_frame")


def test_images_are_skipped_and_what_an_earlier_release_said_of_one_stays(workers, tmp_path):
    photo = replace(clip_of(tmp_path / "photo.png", kind=Kind.IMAGE), content_id="a")
    annotator = CameraMotionAnnotator(workers)

    def annotate_shard_of(*clips: Clip):
        store = Lake(str(tmp_path / "home")).store(annotator.recipe, "shard-00000")
        return annotate_shard(annotator, clips, store, LoopOptions()).outcomes.to_pylist()

    [row] = annotate_shard_of(photo)
    assert (row["status"], row["error"]) == ("skipped", "an image has no camera motion")
    annotator.skip_reason = lambda clip: None  # as it was
    annotator.prepare = lambda clip: Analysed(unclassified(Reason.SINGLE_FRAME))
    [row] = annotate_shard_of(photo)
    assert (row["status"], row["value"]) == ("ok", "unclassified")
    del annotator.skip_reason, annotator.prepare
    assert annotate_shard_of(photo) == [row]


def test_a_file_that_is_no_video_fails_with_its_kind(workers, tmp_path):
    (tmp_path / "notes.mp4").write_text("not a video")
    with pytest.raises(ClipError) as failure:
        CameraMotionAnnotator(workers).prepare(clip_of(tmp_path / "notes.mp4"))
    assert failure.value.kind is ErrorKind.DECODE_ERROR


def test_the_recipe_is_that_of_earlier_releases_so_that_no_clip_is_analysed_again(workers):
    assert CameraMotionAnnotator(workers).recipe.fingerprint == "d6085d415b1493c5"
    assert CameraMotionAnnotator(workers, threshold=0.2).recipe.fingerprint == "8bf338b7d7a047e8"


@pytest.mark.parametrize(("duration", "count"), [(None, 64), (4.0, 64), (60.0, 241), (86400.0, 2048)])
def test_long_clips_are_sampled_four_times_a_second(duration, count):
    assert frame_rule(duration).count == count


@pytest.mark.parametrize("threshold", [0, 1.5])
def test_a_senseless_threshold_is_refused(threshold):
    with pytest.raises(ValidationError, match="threshold"):
        CameraMotion(threshold=threshold)
