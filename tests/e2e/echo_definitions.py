"""The real definitions with a captioner that echoes ids in place of LLaVA: what runs around it is the product."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from resources.annotation.clip import Clip
from resources.annotation.outcome import Answer
from tests.annotation.echo import EchoAnnotator
from vidcap_assets.automation.registered_executor import registered
from vidcap_assets.definitions import ASSETS, RESOURCES


class LoggingEcho(EchoAnnotator):
    """Notes the process and the ids of every batch before it takes its time over them.

    The batch that is the ``hangs_at``-th of the test's hangs until it is killed.
    """

    def __init__(self, calls: Path, prompt: str, batch_seconds: float, hangs_at: int):
        super().__init__("captions_llava", batch_size=4, prompt=prompt)
        self._calls, self._batch_seconds, self._hangs_at = calls, batch_seconds, hangs_at

    def annotate(self, batch: Sequence[Clip]) -> list[Answer]:
        with open(self._calls, "a") as calls:
            calls.write(f"{os.getpid()} {' '.join(clip.id for clip in batch)}\n")
        hangs = len(self._calls.read_text().splitlines()) == self._hangs_at
        time.sleep(600 if hangs else self._batch_seconds)
        return super().annotate(batch)


class EchoResource(dg.ConfigurableResource):
    calls: str
    prompt: str = ""
    batch_seconds: float = 0.0
    hangs_at: int = 0

    def captioner(self, frames, lake, run_id) -> LoggingEcho:
        return LoggingEcho(Path(self.calls), self.prompt, self.batch_seconds, self.hangs_at)


defs = dg.Definitions(
    assets=ASSETS,
    jobs=[
        dg.define_asset_job("captions_only", selection=["captions_llava"]),
        dg.define_asset_job("captions_and_merge", selection=["captions_llava", "captioned_videos"]),
        dg.define_asset_job("index_videos", selection=["video_index"]),
    ],
    resources=RESOURCES
    | {
        "llava": EchoResource(
            calls=os.environ.get("ECHO_CALLS", "calls.txt"),
            prompt=os.environ.get("ECHO_PROMPT", ""),
            batch_seconds=float(os.environ.get("ECHO_BATCH_SECONDS", "0")),
            hangs_at=int(os.environ.get("ECHO_HANGS_AT", "0")),
        )
    },
    executor=registered(dg.multiprocess_executor),
)
