"""The jobs: what is run together."""

import dagster as dg

from vidcap_assets.partitions import shards

PARTITIONED = [
    "raw_meta",
    "captions_pllava",
    "captions_llava",
    "camera_motion",
    "tags_objects",
    "tags_actions",
]

index_videos = dg.define_asset_job(
    "index_videos",
    selection=dg.AssetSelection.assets("video_index"),
    description="Find the clips of the source and put the new ones into new shards.",
)

caption_videos = dg.define_asset_job(
    "caption_videos",
    selection=dg.AssetSelection.assets(*PARTITIONED, "captioned_videos"),
    partitions_def=shards,
    description="Everything for a shard that needs no API key: metadata, captions, camera motion, tags, merge.",
)

caption_videos_gpt4v = dg.define_asset_job(
    "caption_videos_gpt4v",
    selection=dg.AssetSelection.assets(
        "raw_meta", "captions_gpt4v", "tags_objects", "tags_actions", "captioned_videos"
    ),
    partitions_def=shards,
    description="Captions of a shard by a server that speaks the OpenAI API (this costs money), tags, merge.",
)

publish_dataset = dg.define_asset_job(
    "publish_dataset",
    selection=dg.AssetSelection.assets("category_distribution", "caption_gallery", "training_set"),
    description="The training set, the gallery and the distribution from what has been merged so far.",
)

JOBS = [index_videos, caption_videos, caption_videos_gpt4v, publish_dataset]
