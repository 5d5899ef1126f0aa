import shutil
from pathlib import Path

import pytest

from resources.annotation.outcome import Answer, ClipError, ErrorKind
from tests.dataset.collection import Collection, clip


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return Collection(tmp_path / "home")


@pytest.fixture
def captioned(collection: Collection, captioned_once: Collection) -> Collection:
    """A copy of the captioned collection, free to be changed."""
    shutil.copytree(captioned_once.root, collection.root)
    return collection


@pytest.fixture(scope="session")
def captioned_once(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Two shards of six clips: two captioners, one refusal, one broken file, motions, tags, a source text."""
    collection = Collection(tmp_path_factory.mktemp("captioned"))
    collection.add_shard(
        "shard-00000",
        [
            clip("a1"),
            clip("a2", num_frames=10, height=1080, width=1920),
            clip("a3", text="An old caption from the list."),
        ],
    )
    collection.add_shard(
        "shard-00001",
        [
            clip("b1"),
            clip("b2", num_frames=None, height=None, width=None, fps=None, duration_s=None,
                 codec=None, probe_error="decode_error: moov atom not found"),
            clip("b3", kind="image", num_frames=1, fps=None, duration_s=None, codec="png"),
        ],
        duplicates={"b1": "a1"},
    )  # fmt: skip

    def pllava(one):
        if one.id == "a2":
            return ClipError(ErrorKind.EMPTY_OUTPUT, "the model said nothing")
        return f"The video shows a red ball {one.id} rolling to the left."

    collection.annotate("captions_pllava", pllava)
    collection.annotate("captions_llava", lambda one: f"A red ball {one.id} rolls over a green field.")
    collection.annotate(
        "captions_gpt4v",
        lambda one: (
            Answer(f"Ball {one.id}.", "stop", 900, 5, 1.0, 0.01)
            if one.id == "a2"
            else ClipError(ErrorKind.RATE_LIMITED, "429")
        ),
    )
    collection.annotate("camera_motion", lambda one: "pan_left+zoom_in" if one.id == "a1" else "static")
    collection.annotate("tags_objects", lambda one: '["red ball", "field"]' if one.id != "b3" else "[]")
    collection.annotate("tags_actions", lambda one: '["rolling"]')
    collection.merge()
    return collection
