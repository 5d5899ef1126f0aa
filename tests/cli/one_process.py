"""The real definitions with all steps of a run in one process, which saves the start of the others."""

import dagster as dg

from vidcap_assets.collection.component import Collection

defs = dg.Definitions.merge(
    *(collection.build_defs() for collection in Collection.in_force()),
    dg.Definitions(executor=dg.in_process_executor),
)
