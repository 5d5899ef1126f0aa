"""The root: the collections in force, the executor and the reaper of them all. Imports no model library."""

import dagster as dg

from vidcap_assets.automation.executor import noting_its_process
from vidcap_assets.automation.reaper import reaper_sensor
from vidcap_assets.collection.component import Collection

defs = dg.Definitions.merge(
    *(collection.build_defs() for collection in Collection.in_force()),
    dg.Definitions(sensors=[reaper_sensor], executor=noting_its_process(dg.multiprocess_executor)),
)
