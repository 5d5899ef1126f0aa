"""The real definitions with all steps of a run in one process, which saves the start of the others."""

import dagster as dg
from vidcap_assets.jobs import JOBS

from vidcap_assets.definitions import ASSETS, RESOURCES

defs = dg.Definitions(assets=ASSETS, jobs=JOBS, resources=RESOURCES, executor=dg.in_process_executor)
