"""The root: lists what there is and wires the resources. Computes nothing, imports no model library."""

import dagster as dg

from vidcap_assets import environment
from vidcap_assets.assets.camera_motion import camera_motion
from vidcap_assets.assets.captions import captions_gpt4v, captions_llava, captions_pllava
from vidcap_assets.assets.dataset import caption_gallery, category_distribution, training_set
from vidcap_assets.assets.merged import captioned_videos
from vidcap_assets.assets.tags import tags
from vidcap_assets.assets.videos import raw_meta, video_index
from vidcap_assets.automation import condition_sensor, with_conditions
from vidcap_assets.jobs import JOBS, PARTITIONED, caption_videos, index_videos, publish_dataset
from vidcap_assets.reaper import reaper_sensor
from vidcap_assets.registered_executor import registered
from vidcap_assets.resources import (
    CameraResource,
    DecodeResource,
    Gpt4vResource,
    LakeResource,
    LlavaResource,
    PllavaResource,
    SourceResource,
    TaggerResource,
    TextResource,
    WarehouseResource,
)
from vidcap_assets.schedules import MERGED, gap_schedule, publish_schedule
from vidcap_assets.sensors import new_clips_sensor

ASSETS = [
    video_index,
    raw_meta,
    captions_pllava,
    captions_llava,
    captions_gpt4v,
    camera_motion,
    tags,
    captioned_videos,
    category_distribution,
    caption_gallery,
    training_set,
]

RESOURCES = {
    "source": SourceResource(),
    "decode": DecodeResource(),
    "pllava": PllavaResource(),
    "llava": LlavaResource(),
    "gpt4v": Gpt4vResource(),
    "camera": CameraResource(),
    "tagger": TaggerResource(),
    "text": TextResource(),
    "lake": LakeResource(),
    "warehouse": WarehouseResource(),
}

SENSORS = [new_clips_sensor(index_videos, caption_videos), reaper_sensor, condition_sensor(ASSETS)]
SCHEDULES = [gap_schedule(caption_videos, [*PARTITIONED, MERGED]), publish_schedule(publish_dataset)]

OWNERS = environment.owners()

defs = dg.Definitions(
    assets=dg.map_asset_specs(lambda spec: spec.replace_attributes(owners=OWNERS), with_conditions(ASSETS)),
    jobs=JOBS,
    sensors=SENSORS,
    schedules=SCHEDULES,
    resources=RESOURCES,
    executor=registered(dg.multiprocess_executor),
)
