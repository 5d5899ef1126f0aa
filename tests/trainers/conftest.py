from pathlib import Path

import pytest

from resources.annotation.clip import Kind
from tests.dataset.collection import Collection, clip

TEXTS = {
    "plain": "A red ball rolls to the left.",
    "list/00.1": 'A "quoted", comma\'d caption.',
    "paragraphs": "First paragraph.\n\nSecond paragraph.",
    "picture": "Ein grünes Quadrat; 一只猫.",
    "film": "A film in another container.",
    "gone": "Its file is gone.",
}
FILES = {
    "plain": "a/000.mp4",
    "list/00.1": "b/000.mp4",
    "paragraphs": "a/001.MP4",
    "picture": "b/picture.png",
    "film": "a/film.mkv",
}


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders with files of equal names; what is in a file is its clip's id."""
    folder = tmp_path_factory.mktemp("clips with spaces")
    for clip_id, name in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(clip_id)
    return folder


@pytest.fixture
def collection(tmp_path: Path, clips: Path) -> Collection:
    made = Collection(tmp_path / "home")
    made.add_shard(
        "shard-00000",
        [
            clip(
                clip_id,
                path=clips / FILES.get(clip_id, "nowhere.mp4"),
                kind=Kind.IMAGE if clip_id == "picture" else Kind.VIDEO,
            )
            for clip_id in TEXTS
        ],
    )
    made.annotate("captions_pllava", lambda one: TEXTS[one.id])
    made.annotate("captions_llava", lambda one: f"Another caption of {one.id}.")
    made.merge()
    return made
