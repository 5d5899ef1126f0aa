import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from resources.dataset.gallery import build_gallery
from resources.dataset.gallery.sheets import sheet_name
from resources.video import FrameReader, IsolatedWorkers
from tests.dataset.browser import Browser, browser
from tests.dataset.collection import Collection, clip

HOSTILE = (
    "</script><script>document.title='owned'</script>"
    "<img src=x onerror=\"document.title='owned'\"> & 'x' \u2028 ünï"
)


def quiet(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def frames() -> Iterator[FrameReader]:
    with IsolatedWorkers(1, timeout_s=60) as workers:
        yield FrameReader(workers)


def image(path: Path, shade: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((90, 160, 3), shade, np.uint8))
    return path


def build(collection: Collection, frames: FrameReader, max_clips: int = 0):
    return build_gallery(
        collection.warehouse, collection.lake.folder("reports"), frames, quiet, max_clips=max_clips, workers=1
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, frames: FrameReader) -> Path:
    """A gallery of 60 images, one with a hostile name and captions, one whose file is broken."""
    root = tmp_path_factory.mktemp("gallery")
    collection = Collection(root / "home")
    known = {
        "kind": "image",
        "num_frames": 1,
        "fps": None,
        "duration_s": None,
        "codec": "png",
        "height": 90,
        "width": 160,
    }
    clips = [
        clip(f"c{number:02d}", path=image(root / "clips" / f"c{number:02d}.png", number * 4), **known)
        for number in range(58)
    ]
    nasty = image(root / "clips" / "tmp.png", 255).rename(
        root / "clips" / "<img src=x onerror=alert(1)>'\"&#.png"
    )
    clips.append(clip("hostile", path=nasty, text=HOSTILE, **known))
    broken = root / "clips" / "zz.png"
    broken.write_bytes(b"not a picture")
    clips.append(clip("broken", path=broken, **known))
    collection.add_shard("shard-00000", clips)
    collection.annotate(
        "captions_pllava", lambda one: HOSTILE if one.id == "hostile" else f"A grey wall, number {one.id}."
    )
    collection.annotate(
        "captions_llava", lambda one: HOSTILE[::-1] if one.id == "hostile" else "A grey curtain."
    )
    collection.annotate("camera_motion", lambda one: "pan_left+zoom_in" if one.id == "c07" else "static")
    collection.annotate(
        "tags_objects",
        lambda one: json.dumps([HOSTILE] if one.id == "hostile" else ["wall", f"thing {one.id}"]),
    )
    collection.merge()
    gallery = build(collection, frames)
    assert (gallery.shown, gallery.clips, gallery.without_sheet) == (60, 60, 1)
    return Path(gallery.page.path)


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as one:
        yield one


@pytest.fixture
def shown(page: Path, window: Browser) -> Browser:
    window.open(page)
    window.wait("document.querySelectorAll('article').length")
    return window


def ids(window: Browser) -> list[str]:
    return window.run("return [...document.querySelectorAll('article')].map(one => one.dataset.id)")


def test_page_shows_captions_with_differences_and_pages_of_24(shown: Browser) -> None:
    assert ids(shown) == ["hostile", *(f"c{number:02d}" for number in range(23))]
    marks = shown.run(
        "return [...document.querySelectorAll('[data-id=c00] mark')].map(one => one.textContent)"
    )
    assert marks == ["wall", "number c00", "curtain"]
    assert shown.run("return document.getElementById('last').textContent") == "3"
    shown.wait("document.querySelector('[data-id=c00] img').naturalWidth")
    assert shown.run("return [...document.querySelectorAll('.plots img, #plots img')].length") > 3


def test_hostile_captions_and_names_stay_text(shown: Browser) -> None:
    texts = shown.run(
        "return [...document.querySelectorAll('[data-id=hostile] .caption p')].map(one => one.textContent)"
    )
    assert HOSTILE in texts
    assert shown.run("return document.title") == "Captioned clips"
    assert shown.run("return document.querySelectorAll('[data-id=hostile] .caption img').length") == 0
    assert shown.run("return document.querySelector('[data-id=hostile] h2').textContent").startswith(
        "<img src=x"
    )
    shown.wait("document.querySelector('[data-id=hostile] img.sheet').naturalWidth")
    assert shown.console() == []


def test_search_filters_and_address(shown: Browser, page: Path) -> None:
    shown.write("#search", "number c41")
    shown.wait("document.querySelectorAll('article').length === 1")
    assert ids(shown) == ["c41"]
    assert "q=number+c41" in shown.run("return location.hash")
    shown.run("document.getElementById('filters').reset()")
    shown.wait("document.querySelectorAll('article').length === 24")
    shown.run("motion.value = 'zoom_in'; motion.dispatchEvent(new Event('change'))")
    shown.wait("document.querySelectorAll('article').length === 1")
    assert ids(shown) == ["c07"]
    shown.open(page, "#tag=thing+c55")
    shown.run("location.reload()")
    shown.wait("document.querySelectorAll('article').length === 1")
    assert ids(shown) == ["c55"]
    shown.run("tag.value = 'nothing like it'; tag.dispatchEvent(new Event('change'))")
    shown.wait("found.textContent.startsWith('No clip matches')")


def test_status_filter_finds_what_has_not_run(shown: Browser) -> None:
    options = shown.run("return [...document.querySelectorAll('#status option')].map(one => one.textContent)")
    assert "gpt4v: not yet (60)" in options
    assert "anything failed (0)" in options


def test_keyboard(shown: Browser) -> None:
    shown.run("document.activeElement.blur()")
    shown.press("n")
    shown.wait("document.getElementById('page').value === '2'")
    assert ids(shown)[0] == "c23"
    shown.press("j")
    shown.press("j")
    assert shown.run("return document.activeElement.dataset.id") == "c24"
    shown.press("o")
    shown.wait("document.querySelector('[data-id=c24] details table')")
    assert "captions_pllava" in shown.run(
        "return document.querySelector('[data-id=c24] details').textContent"
    )
    shown.press("m")
    assert not shown.run("return document.body.classList.contains('marks')")
    shown.press("m")
    shown.press("/")
    assert shown.run("return document.activeElement.id") == "search"
    shown.press("Escape")
    shown.press("p")
    shown.wait("document.getElementById('page').value === '1'")


def test_phone_and_dark(page: Path, window: Browser) -> None:
    window.resize(390, 844)
    window.prefer_dark()
    window.open(page)
    window.wait("document.querySelectorAll('article').length")
    assert window.run("return document.documentElement.scrollWidth") <= 390
    assert window.run("return getComputedStyle(document.body).backgroundColor") == "rgb(17, 19, 23)"
    window.press("t")
    assert window.run("return getComputedStyle(document.body).backgroundColor") == "rgb(246, 247, 249)"
    window.press("t")


def test_nothing_is_loaded_from_elsewhere(page: Path) -> None:
    text = page.read_text() + "".join(file.read_text() for file in page.parent.glob("data-*/*.js"))
    assert not re.findall(r"""(?:src|href|url\()\s*=?\s*["']?(?:https?:)?//""", text)


def test_pictures_are_made_once_and_old_data_goes(
    captioned: Collection, frames: FrameReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.dataset.gallery.site.draw_plots", lambda table: {})
    lake = captioned.lake
    shown = clip("n1", path=image(tmp_path / "n1.png", 90), kind="image", content_id="ab12")
    captioned.add_shard("shard-00002", [shown])
    captioned.merge()
    first = build(captioned, frames)
    sheets = Path(lake.folder("reports").path) / "gallery" / "sheets"
    made = sheets / sheet_name("ab12")
    before = made.stat().st_mtime_ns
    for text in ("one", "two"):
        captioned.annotate("captions_pllava", lambda one, text=text: text, model=text)
        captioned.merge()
        build(captioned, frames)
    assert made.stat().st_mtime_ns == before
    folders = [name for name in os.listdir(Path(first.page.path).parent) if name.startswith("data-")]
    assert len(folders) == 2
    current = re.search(r"data-[0-9a-f]{16}", Path(first.page.path).read_text())
    assert current is not None
    assert current[0] in folders


def test_gallery_of_some_clips_says_so(captioned: Collection, frames: FrameReader) -> None:
    gallery = build(captioned, frames, max_clips=2)
    assert (gallery.shown, gallery.clips) == (2, 6)
    assert "2 of 6 clips" in Path(gallery.page.path).read_text()


def test_words_of_demonstration_models_are_marked(captioned: Collection, frames: FrameReader) -> None:
    reports, models = captioned.lake.folder("reports"), ["captions_llava"]
    gallery = build_gallery(
        captioned.warehouse, reports, frames, quiet, max_clips=1, workers=1, demo_models=models
    )
    assert "Not for training: captions_llava used" in Path(gallery.page.path).read_text()
    assert 'id="banner"' not in Path(build(captioned, frames).page.path).read_text()
