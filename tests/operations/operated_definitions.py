"""The product with an annotator that does what files below ECHO_FOLDER tell it: ``poison`` (clips), ``slow``."""

import os

import dagster as dg

from tests.echo import Echo, echoing
from vidcap_assets.automation.executor import noting_its_process
from vidcap_assets.automation.reaper import reaper_sensor
from vidcap_assets.automation.schedules import gap_schedule
from vidcap_assets.component import Collection

COLLECTION = echoing(
    os.environ.get("VIDCAP_HOME", "data"),
    os.environ.get("VIDCAP_SOURCE", "clips"),
    annotators=[Echo(batch_size=2)],
    shards_per_run=int(os.environ.get("VIDCAP_SHARDS_PER_RUN", "8")),
    automation={"look_every_s": int(os.environ.get("VIDCAP_LOOK_EVERY_S", "60"))},
)


def operated() -> dg.Definitions:
    """Nothing else of this module may be definitions: Dagster takes exactly one."""
    product = Collection(COLLECTION).build_defs()
    caption = next(job for job in product.jobs or [] if job.name == "caption_videos")
    every_minute = gap_schedule(COLLECTION, caption, ["captions_llava"], cron="* * * * *")
    return dg.Definitions(
        assets=product.assets,
        jobs=product.jobs,
        sensors=[*(product.sensors or []), reaper_sensor],
        schedules=[every_minute],
        resources=product.resources,
        executor=noting_its_process(dg.multiprocess_executor),
    )


defs = operated()
