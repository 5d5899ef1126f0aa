"""One whole run of a collection in a process that was forked with every import done: what a fault is done to."""

import os
from pathlib import Path

import alembic.command  # noqa: F401  as those below: imported for whoever is forked from here
import dagster as dg
import duckdb  # noqa: F401
import openai  # noqa: F401
import pandas as pd  # noqa: F401

import vidcap_assets.assets.annotating
import vidcap_assets.assets.preview  # noqa: F401
from resources.lake.lake import Lake
from vidcap_assets.cli.job_run import _reason
from vidcap_assets.collection.file import CollectionFile
from vidcap_assets.collection.shards import shard_tags
from vidcap_assets.component import Collection

INTERRUPTED = 130


def run_collection(folder: str, log: str) -> None:
    """Index, caption, merge, export.

    Exit code 1 and the reason as the last line where something failed, 130 where it was interrupted.
    """
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(folder)
    settings = CollectionFile.at(Path("vidcap.yaml")).settings
    repository = Collection(settings).build_defs().get_repository_def()
    history = Path("history").absolute()
    remembering = dg.DagsterInstance.from_config(str(history)) if history.exists() else None
    with remembering or dg.DagsterInstance.ephemeral() as instance:
        for name, assets in {
            "index_videos": ["video_index"],
            "caption_videos": ["raw_meta", "measures"],
            "caption_videos_gpt4v": ["captions_gpt4v", "captioned_videos"],
            "publish_dataset": ["training_set"],
        }.items():
            of_shards = name.startswith("caption")
            result = repository.get_job(name).execute_in_process(
                instance=instance,
                raise_on_error=False,
                tags=shard_tags(Lake(settings.home).shards()) if of_shards else {},
                asset_selection=[dg.AssetKey(asset) for asset in assets],
            )
            if not result.success:
                failed = next(event for event in result.all_events if event.is_step_failure)
                error = failed.step_failure_data.error
                print(f"\n{failed.step_key}: {_reason(error)}", flush=True)
                os._exit(INTERRUPTED if "InterruptedError" in error.cls_name else 1)
    os._exit(0)
