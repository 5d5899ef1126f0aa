"""An index that takes for ever: what is interrupted."""

import time

import dagster as dg

from vidcap_assets.automation.executor import noting_its_process


@dg.op
def wait(context: dg.OpExecutionContext) -> None:
    """Say that it has begun, and go on until interrupted."""
    context.log.info("waiting for the end")
    time.sleep(600)


@dg.job(executor_def=noting_its_process(dg.multiprocess_executor))
def index_videos() -> None:
    """In the place of the real one."""
    wait()


defs = dg.Definitions(jobs=[index_videos])
