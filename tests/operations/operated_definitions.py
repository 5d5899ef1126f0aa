"""The product with an echo in place of LLaVA, told by files what to do: ``poison`` (names of clips), ``slow``."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
from vidcap_assets.jobs import index_videos

from resources.annotation.clip import Clip
from resources.annotation.outcome import Answer, ClipError, ErrorKind
from tests.annotation.echo import EchoAnnotator
from vidcap_assets.assets.partitions import shards
from vidcap_assets.automation.reaper import reaper_sensor
from vidcap_assets.automation.registered_executor import registered
from vidcap_assets.automation.schedules import gap_schedule
from vidcap_assets.automation.sensors import new_clips_sensor
from vidcap_assets.definitions import ASSETS, RESOURCES

FOLDER = Path(os.environ.get("ECHO_FOLDER", "."))


class ToldEcho(EchoAnnotator):
    def annotate(self, batch: Sequence[Clip]) -> list[Answer | ClipError]:
        with open(FOLDER / "calls.txt", "a") as calls:
            calls.write(" ".join(clip.path.stem for clip in batch) + "\n")
        if (FOLDER / "slow").exists():
            time.sleep(3)
        told = FOLDER / "poison"
        poison = told.read_text().split() if told.exists() else []
        answers = zip(batch, super().annotate(batch), strict=True)
        return [
            ClipError(ErrorKind.INTERNAL, "poisoned") if clip.path.stem in poison else answer
            for clip, answer in answers
        ]


class ToldEchoResource(dg.ConfigurableResource):
    def captioner(self, frames, lake, run_id) -> ToldEcho:
        return ToldEcho("captions_llava", batch_size=2)


caption_videos = dg.define_asset_job(
    "caption_videos",
    selection=["raw_meta", "captions_llava"],
    partitions_def=shards,
    executor_def=registered(dg.multiprocess_executor),
)

defs = dg.Definitions(
    assets=ASSETS,
    jobs=[index_videos, caption_videos],
    sensors=[new_clips_sensor(index_videos, caption_videos), reaper_sensor],
    schedules=[gap_schedule(caption_videos, ["captions_llava"], cron="* * * * *")],
    resources=RESOURCES | {"llava": ToldEchoResource()},
    # One process a run, where nothing is killed.
    executor=registered(dg.in_process_executor),
)
