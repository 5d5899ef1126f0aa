"""A run that holds a place in the pool ``gpu`` until it is killed."""

import os
import time
from pathlib import Path

import dagster as dg

from vidcap_assets.automation.executor import noting_its_process
from vidcap_assets.automation.run_process import follow_the_run

follow_the_run()  # as a collection does


@dg.op(pool="gpu")
def wait():
    note = Path(os.environ["WAITING"])
    note.with_suffix(".part").write_text(str(os.getpid()))
    note.with_suffix(".part").rename(note)
    time.sleep(600)


@dg.job
def waiting():
    wait()


defs = dg.Definitions(jobs=[waiting], executor=noting_its_process(dg.multiprocess_executor))
