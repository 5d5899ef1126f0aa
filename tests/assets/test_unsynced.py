"""A changed recipe shows as *Unsynced*, a changed speed does not."""

import os
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from resources.annotation.declaration import AnnotatorSettings
from resources.camera_motion.kind import CameraMotion
from resources.captioners.kinds import Pllava, Transformers
from resources.captioners.openai.kind import OpenAI
from resources.measures.frame_score import FrameScore
from resources.tagger.kind import Tags
from tests.assets.conftest import Platform
from vidcap_assets.automation.gaps import unfinished_shards
from vidcap_assets.component import Collection

ASSETS = ["raw_meta", "captions_llava", "camera_motion", "captioned_videos"]
BOTH = "shard-00000..shard-00001"


def unsynced(platform: Platform) -> dict[str, set[str]]:
    """Of each asset that is, the reasons, over all its shards."""
    graph = Collection(platform.collection).build_defs().resolve_asset_graph()
    resolver = CachingStaleStatusResolver(platform.instance, graph, LoadingContextForTest(platform.instance))
    found: dict[str, set[str]] = {}
    for asset in ASSETS:
        for shard in platform.partitions():
            for cause in resolver.get_stale_causes(dg.AssetKey(asset), shard):
                found.setdefault(asset, set()).add(cause.reason)
    return found


def test_a_changed_recipe_is_unsynced_until_it_is_done_again(platform: Platform, write_video):
    platform.shard_size = 1
    for seed in range(2):
        write_video(platform.source / f"{seed}.mp4", seed)
    platform.run("video_index")
    assert platform.run(*ASSETS, shard=BOTH).success
    assert unsynced(platform) == {}

    platform.prompt = "another"
    assert unsynced(platform) == {"captions_llava": {"has a new code version"}}
    assert unfinished_shards(platform.instance, platform.collection, ASSETS) == {}, (
        "the night leaves it alone"
    )

    assert platform.run(*ASSETS, shard=BOTH).success
    assert unsynced(platform) == {}


def test_what_a_run_was_told_otherwise_is_not_what_the_file_says(platform: Platform, write_video):
    write_video(platform.source / "0.mp4", 0)
    platform.run("video_index")
    tried = {"llava": {"config": {"prompt": "tried for once"}}}
    assert platform.run(*ASSETS, shard="shard-00000", resources=tried).success
    assert unsynced(platform) == {"captions_llava": {"has a new code version"}}


def test_the_order_of_captions_decides_what_is_tagged(tmp_path: Path):
    settings = Platform(tmp_path).collection
    both = [Pllava(model="demo"), Transformers(name="llava", model="demo"), Tags(model="demo")]

    def versions(*order: str) -> dict[str, str | None]:
        text = settings.text.model_copy(update={"order": [*order]})
        defs = Collection(settings.model_copy(update={"annotators": both, "text": text})).build_defs()
        specs = defs.resolve_all_asset_specs()
        return {spec.key.to_user_string(): spec.code_version for spec in specs if spec.code_version}

    one, other = versions("pllava", "llava"), versions("llava", "pllava")
    assert {asset for asset in one if one[asset] != other[asset]} == {"tags_objects", "tags_actions"}


@pytest.mark.parametrize(
    ("one", "same", "others"),
    [
        (
            Pllava(model="a/b"),
            [Pllava(model="a/b", batch_size=1, device="cpu"), Pllava(model="a/b", max_new_tokens=256)],
            [
                Pllava(model="a/c"),
                Pllava(model="a/b@v2"),
                Pllava(model="a/b", adapter="a/c"),
                Pllava(model="a/b", prompt="x"),
                Pllava(model="a/b", dtype="float16"),
            ],
        ),
        (
            OpenAI(name="x"),
            [OpenAI(name="x", base_url="http://here/v1"), OpenAI(name="x", max_cost_usd=3, paid=False)],
            [
                OpenAI(name="x", model="gpt-4o-mini"),
                OpenAI(name="x", revision="2"),
                OpenAI(name="x", detail="high"),
            ],
        ),
        (
            Tags(model="a/b"),
            [Tags(model="a/b", batch_size=1)],
            [Tags(model="a/c"), Tags(model="a/b", base_url="http://here/v1")],
        ),
        (CameraMotion(), [CameraMotion(measures=True)], [CameraMotion(threshold=0.5)]),
    ],
)
def test_only_what_could_change_an_answer_counts(
    one: AnnotatorSettings, same: list[AnnotatorSettings], others: list[AnnotatorSettings]
):
    assert {each.recipe_version() for each in same} == {one.recipe_version()}
    assert len({each.recipe_version() for each in [one, *others]}) == 1 + len(others)


def test_other_weights_in_the_same_folder_and_the_same_in_another(tmp_path: Path):
    (folder := tmp_path / "model").mkdir()
    (folder / "model.safetensors").write_bytes(b"one")
    before = Transformers(name="x", model=str(folder)).recipe_version()
    moved = folder.rename(tmp_path / "elsewhere")
    assert Transformers(name="x", model=str(moved)).recipe_version() == before
    (moved / "model.safetensors").write_bytes(b"two")
    os.utime(moved / "model.safetensors", ns=(1, 1))
    assert Transformers(name="x", model=str(moved)).recipe_version() != before


def test_a_folder_that_cannot_be_read_keeps_nothing_from_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_dir", refuse)
    named = [Transformers(name="x", model=str(tmp_path / name)).recipe_version() for name in ("one", "two")]
    assert named[0] != named[1]


def test_a_setting_that_changes_no_answer_is_in_no_recipe():
    class Sharp(FrameScore):
        kind: str = "sharp"
        name: str = "sharp"
        workers: int = 1
        indifferent = frozenset({"workers"})

        def score(self, images: object) -> float:
            return 1.0

    def recipe(settings: Sharp) -> str:
        nothing: Any = None
        with settings.open(nothing) as opened:
            return opened["sharp"].recipe.fingerprint

    one, same, other = Sharp(), Sharp(workers=2), Sharp(num_frames=3)
    assert (recipe(one), one.recipe_version()) == (recipe(same), same.recipe_version())
    assert recipe(one) != recipe(other)
    assert one.recipe_version() != other.recipe_version()


def test_code_that_answers_otherwise_is_another_version():
    class Newer(CameraMotion):
        code_version = CameraMotion.code_version + 1

    assert Newer().recipe_version() != CameraMotion().recipe_version()
