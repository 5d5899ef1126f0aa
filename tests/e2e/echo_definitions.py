"""The product's collection with an annotator that echoes ids: what runs around it is the product."""

import os

import dagster as dg

from tests.echo import Echo, echoing
from vidcap_assets.automation.executor import noting_its_process
from vidcap_assets.collection.component import Collection

COLLECTION = echoing(
    os.environ.get("VIDCAP_HOME", "data"), os.environ.get("VIDCAP_SOURCE", "clips"), annotators=[Echo()]
)

defs = dg.Definitions.merge(
    Collection(COLLECTION).build_defs(),
    dg.Definitions(
        jobs=[
            dg.define_asset_job("captions_only", selection=["captions_llava"]),
            dg.define_asset_job("captions_and_merge", selection=["captions_llava", "captioned_videos"]),
        ],
        executor=noting_its_process(dg.multiprocess_executor),
    ),
)
