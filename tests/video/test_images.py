"""Still images of every colour mode and orientation."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from resources.annotation.clip import Kind
from resources.annotation.outcome import ClipError, ErrorKind
from resources.video import FrameReader, FrameRule, RuleKind
from resources.video.images import EXIF_ORIENTATION
from resources.video.probe import probe
from tests.video.media import HEIGHT, WIDTH, picture, read_number

RULE = FrameRule(RuleKind.POINTS, 1)
NUMBER = 77
TURNS = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, 1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: np.rot90(image, -1),
}


def read(reader: FrameReader, path: Path, **size) -> np.ndarray:
    frames = reader.read(path, Kind.IMAGE, RULE, **size)
    assert frames.num_frames == 1
    assert frames.indices == [0]
    assert frames.details["access"] == "image"
    return frames.images[0]


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", TURNS)
def test_exif_orientation_is_applied(orientation: int, suffix: str, reader: FrameReader, tmp_path: Path):
    path = tmp_path / f"photo.{suffix}"
    stored = Image.fromarray(np.ascontiguousarray(TURNS[orientation](picture(NUMBER))))
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    stored.save(path, exif=exif, quality=95)
    shown = read(reader, path)
    assert shown.shape == (HEIGHT, WIDTH, 3)
    assert read_number(shown) == NUMBER
    assert (probe(path, Kind.IMAGE).height, probe(path, Kind.IMAGE).width) == (HEIGHT, WIDTH)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("RGB", "png"), ("RGB", "webp"), ("RGB", "bmp"), ("RGB", "tiff"), ("RGB", "ppm"), ("L", "png"), ("P", "png"),
     ("1", "png"), ("CMYK", "jpg"), ("RGBA", "png"), ("LA", "png"), ("YCbCr", "jpg"), ("P", "gif")],
)  # fmt: skip
def test_every_colour_mode_becomes_rgb(mode: str, suffix: str, reader: FrameReader, tmp_path: Path):
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(picture(NUMBER)).convert(mode).save(path)
    shown = read(reader, path)
    assert shown.shape == (HEIGHT, WIDTH, 3)
    assert read_number(shown) == NUMBER


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bits_keep_their_range(suffix: str, reader: FrameReader, tmp_path: Path):
    path = tmp_path / f"deep.{suffix}"
    deep = picture(NUMBER)[..., 0].astype(np.uint16) * 257
    Image.fromarray(deep).save(path)
    assert np.array_equal(read(reader, path)[..., 0], picture(NUMBER)[..., 0])
    assert probe(path, Kind.IMAGE).bit_depth == 16


def pnm(magic: bytes, top: int, samples: np.ndarray) -> bytes:
    height, width = samples.shape[:2]
    return b"%s %d %d %d\n" % (magic, width, height, top) + samples.astype(">u2").tobytes()


@pytest.mark.parametrize(
    ("name", "content", "shown", "bits"),
    [
        ("dark.pgm", pnm(b"P5", 65535, np.full((4, 6), 200)), 1, 16),
        ("ten.pgm", pnm(b"P5", 1023, np.full((4, 6), 512)), 128, 10),
        ("colour.ppm", pnm(b"P6", 65535, np.full((4, 6, 3), 40000)), 156, 16),
    ],
)
def test_the_range_of_deep_images_is_the_stated_one(name, content, shown, bits, reader, tmp_path: Path):
    path = tmp_path / name
    path.write_bytes(content)
    assert np.all(read(reader, path) == shown)
    assert probe(path, Kind.IMAGE).bit_depth == bits


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_dark_deep_image_stays_dark(suffix: str, reader: FrameReader, tmp_path: Path):
    path = tmp_path / f"night.{suffix}"
    Image.fromarray(np.full((4, 6), 200, np.uint16)).save(path)
    assert np.all(read(reader, path) == 1)


def test_the_bits_of_deep_colour_are_told(tmp_path: Path):
    path = tmp_path / "colour.png"
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 6, 4, "rgb48be"
        container.mux(stream.encode(av.VideoFrame(6, 4, "rgb48be")))
    assert probe(path, Kind.IMAGE).bit_depth == 16


def test_transparency_lies_on_white(reader: FrameReader, tmp_path: Path):
    path = tmp_path / "logo.png"
    pixels = np.zeros((10, 20, 4), np.uint8)
    pixels[:, 10:] = (255, 0, 0, 255)
    Image.fromarray(pixels).save(path)
    shown = read(reader, path)
    assert shown[5, 2].tolist() == [255, 255, 255]
    assert shown[5, 15].tolist() == [255, 0, 0]


def test_an_image_is_as_many_frames_as_a_model_needs(reader: FrameReader, tmp_path: Path):
    path = tmp_path / "image.png"
    Image.fromarray(picture(NUMBER)).save(path)
    frames = reader.read(path, Kind.IMAGE, FrameRule(RuleKind.PLLAVA, 4), short_side=48)
    assert frames.images.shape == (4, 48, 96, 3)
    assert frames.indices == [0, 0, 0, 0]
    assert reader.read(path, Kind.IMAGE, RULE, gray=True).images.shape == (1, HEIGHT, WIDTH)


def test_half_an_image_is_an_error_not_a_gray_picture(reader: FrameReader, tmp_path: Path):
    path = tmp_path / "half.jpg"
    Image.fromarray(picture(NUMBER)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ClipError) as error:
        read(reader, path)
    assert error.value.kind is ErrorKind.DECODE_ERROR


def test_the_probe_of_an_image_has_no_time(tmp_path: Path):
    path = tmp_path / "image.webp"
    Image.fromarray(picture(NUMBER)).save(path)
    found = probe(path, Kind.IMAGE)
    assert (found.num_frames, found.fps, found.duration_s, found.codec) == (1, None, None, "webp")
    assert found.aspect_ratio == HEIGHT / WIDTH
    assert found.resolution == HEIGHT * WIDTH
