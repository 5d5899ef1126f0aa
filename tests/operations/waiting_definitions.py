"""A run that holds a place in the pool ``gpu`` until it is killed."""

import os
import time
from pathlib import Path

import dagster as dg

from vidcap_assets.automation.registered_executor import registered


@dg.op(pool="gpu")
def wait():
    Path(os.environ["WAITING"]).touch()
    time.sleep(600)


@dg.job
def waiting():
    wait()


defs = dg.Definitions(jobs=[waiting], executor=registered(dg.in_process_executor))
