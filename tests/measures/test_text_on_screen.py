"""Text that was drawn is read, what was not drawn is not."""

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut, chelsea, coffee, rocket

pytest.importorskip("rapidocr", reason="pip install 'vidcap[ocr]'")
pytest.importorskip("onnxruntime", reason="pip install 'vidcap[ocr]'")

from resources.annotation.clip import Clip, Kind
from resources.annotation.declaration import Scene
from resources.lake.lake import Lake
from resources.measures.text_on_screen import Ocr
from resources.video import FrameReader, IsolatedWorkers
from tests.camera_motion.moving_crop import shot, write_mp4

PHOTOS = {
    name: cv2.resize(photo()[..., :3], (640, 360))
    for name, photo in {"astronaut": astronaut, "cat": chelsea, "coffee": coffee, "rocket": rocket}.items()
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    with IsolatedWorkers(1, timeout_s=60) as workers:
        scene = Scene(FrameReader(workers), workers, Lake(str(tmp_path_factory.mktemp("home"))), "run", print)
        with Ocr().open(scene) as annotators:
            yield annotators["ocr"]


def captioned(
    photo: np.ndarray, text: str, share: float = 0.05, at: tuple[float, float] = (0.2, 0.93)
) -> np.ndarray:
    """Outlined white text with capitals of this share of the height."""
    frame = photo.copy()
    height, width = frame.shape[:2]
    place, scale = (int(at[0] * width), int(at[1] * height)), share * height / 21
    for colour, thickness in (((0, 0, 0), 4), ((255, 255, 255), 2)):
        cv2.putText(frame, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)
    return frame


@pytest.mark.parametrize("name", ["cat", "coffee"])
def test_clean_photos_have_no_text(reader, name):
    assert reader.read(PHOTOS[name]).words == []


@pytest.mark.parametrize("name", PHOTOS)
def test_a_subtitle_is_read_with_the_area_it_takes(reader, name):
    seen = reader.read(captioned(PHOTOS[name], "Where are you going"))
    assert any("whereareyougoing" in word.lower().replace(" ", "") for word in seen.words)
    assert 0.015 < seen.area < 0.12


def test_a_logo_in_the_corner_is_found(reader):
    seen = reader.read(captioned(PHOTOS["coffee"], "BRAND", 0.06, (0.72, 0.12)))
    assert any("BRAND" in word for word in seen.words)


def test_a_clip_says_how_often_and_what(reader, tmp_path):
    frames = shot(frames=12)
    for frame in frames[6:]:
        cv2.rectangle(frame, (20, 100), (236, 136), 0, -1)
        cv2.putText(frame, "HELLO THERE", (28, 126), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 255, 2, cv2.LINE_AA)
    clip = Clip("a", write_mp4(tmp_path / "clip.mp4", frames))
    details = reader.annotate([reader.prepare(clip)])[0].details
    assert (details["text_found"], details["text_words"].replace(" ", "")) == (True, "HELLOTHERE")
    assert [bool(one["words"]) for one in details["text_by_frame"]] == [False, False, True, True]
    assert details["text_area"] == pytest.approx(
        np.mean([one["area"] for one in details["text_by_frame"]]), abs=1e-4
    )


def test_an_image_without_text_has_none(reader, tmp_path):
    Image.fromarray(PHOTOS["cat"]).save(tmp_path / "cat.png")
    answer = reader.annotate([reader.prepare(Clip("a", tmp_path / "cat.png", Kind.IMAGE))])[0]
    assert answer.value == "[]"
    assert (answer.details["text_found"], answer.details["text_area"]) == (False, 0)
