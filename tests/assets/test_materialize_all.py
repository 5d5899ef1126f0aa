"""*Materialize all*: what costs money is not asked by it, and keeps nothing else from being done."""

import dagster as dg
import pytest

from resources.captioners.openai.kind import OpenAI
from resources.tagger.kind import Tags
from tests.assets.conftest import Platform, failure

FIRST = "shard-00000"
PARTITIONED = ["raw_meta", "captions_llava", "camera_motion", "captions_gpt4v", "captioned_videos"]


def made(platform: Platform) -> set[str]:
    statuses = {
        asset: platform.instance.get_status_by_partition(
            dg.AssetKey(asset), [FIRST], platform.collection.shards
        )
        for asset in PARTITIONED
    }
    return {
        asset
        for asset, status in statuses.items()
        if status and status[FIRST] is dg.AssetPartitionStatus.MATERIALIZED
    }


@pytest.fixture
def paid(platform: Platform, write_video, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    write_video(platform.source / "0.mp4", 0)
    platform.paid = [OpenAI(name="gpt4v")]
    platform.run("video_index")
    return platform


@pytest.mark.parametrize("key", [None, "sk-nobody-may-be-asked-with-it"])
def test_it_does_everything_else(paid: Platform, key: str | None, monkeypatch: pytest.MonkeyPatch):
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    result = paid.run(*PARTITIONED, shard=FIRST)
    assert result.success, failure(result)
    assert made(paid) == {*PARTITIONED} - {"captions_gpt4v"}, "what was not asked is not green"
    assert not paid.lake.file("captions_gpt4v", FIRST).exists()
    assert paid.query("SELECT caption_gpt4v, captions_gpt4v_status FROM captioned_videos") == [(None, None)]


def test_asked_for_alone_it_says_what_it_lacks(paid: Platform, monkeypatch: pytest.MonkeyPatch):
    alone = ["raw_meta", "captions_gpt4v", "captioned_videos"]
    assert "no API key" in failure(paid.run(*alone, shard=FIRST))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-nobody-may-be-asked-with-it")
    assert "has no budget" in failure(paid.run(*alone, shard=FIRST))
    assert made(paid) == {"raw_meta"}


def test_tags_that_cost_money_are_not_asked_either(paid: Platform):
    paid.paid = [Tags(model="m", base_url="https://nobody.example/v1", paid=True)]
    everything = [
        "raw_meta",
        "captions_llava",
        "camera_motion",
        "tags_objects",
        "tags_actions",
        "captioned_videos",
    ]
    result = paid.run(*everything, shard=FIRST)
    assert result.success, failure(result)
    assert not paid.lake.stored_shards("tags_objects")
