"""What happens by itself in a collection, by ``automation.mode`` of its file (``VIDCAP_AUTOMATION`` without one).

``off`` (the default): nothing starts by itself. ``schedules``: new clips are found and captioned, gaps are filled
every night, the dataset is published every week. ``declarative``: the same, but what is captioned when is said by the
condition on each asset. A choice made in the UI outlives the file's.
"""

from collections.abc import Sequence

import dagster as dg

from vidcap_assets.automation.conditions import condition_sensor, with_conditions
from vidcap_assets.automation.schedules import gap_schedule, publish_schedule
from vidcap_assets.automation.sensors import new_clips_sensor
from vidcap_assets.collection.settings import CollectionSettings
from vidcap_assets.dagster_private import UnresolvedAssetJobDefinition


def automation_of(
    collection: CollectionSettings,
    assets: Sequence[dg.AssetsDefinition],
    *,
    index: UnresolvedAssetJobDefinition,
    caption: UnresolvedAssetJobDefinition,
    publish: UnresolvedAssetJobDefinition,
) -> dg.Definitions:
    """The assets with their conditions, and the collection's own sensors and schedules.

    Args:
        index: the job that puts new clips into shards.
        caption: the job that does for a shard all that costs no money.
        publish: the job that makes the training set.
    """
    free = [each.asset for one in collection.working if not one.paid for each in one.declares()]
    return dg.Definitions(
        assets=with_conditions(assets, collection),
        sensors=[
            new_clips_sensor(collection, index, caption),
            condition_sensor(assets, collection),
        ],
        schedules=[
            gap_schedule(collection, caption, ["raw_meta", *free, "captioned_videos"]),
            publish_schedule(collection, publish),
        ],
    )
