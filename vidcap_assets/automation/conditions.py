"""The declarative way: the condition on each asset says when it runs, and Dagster decides and shows why."""

from collections.abc import Iterable

import dagster as dg

from vidcap_assets.automation.schedules import NIGHTLY, TIMEZONE
from vidcap_assets.collection.settings import CollectionSettings

HOURLY = "0 * * * *"


def fill(collection: CollectionSettings) -> dg.AutomationCondition:
    """Missing shards every hour, failed ones every night, none while a run has it.

    A shard that goes on failing is missing as well where it never came right: without the cron ticks it would
    be asked for at every look. Paid annotators never run by themselves, so nothing waits for them.
    """
    condition = dg.AutomationCondition
    paid = (each.asset for one in collection.working if one.paid for each in one.declares())
    ignored = dg.AssetSelection.assets(*map(collection.key, ("video_index", *paid)))
    failing = condition.execution_failed()
    missing = condition.cron_tick_passed(HOURLY, TIMEZONE) & condition.missing() & ~failing
    failed = condition.cron_tick_passed(NIGHTLY, TIMEZONE) & failing
    waits = condition.any_deps_missing().ignore(ignored)
    return ((missing | failed) & ~waits & ~condition.in_progress()).with_label(
        "missing_hourly_failed_nightly"
    )


def with_conditions(
    assets: Iterable[dg.AssetsDefinition], collection: CollectionSettings
) -> list[dg.AssetsDefinition]:
    """The assets, those of a shard with the condition under which they run by themselves; paid ones without."""
    paid = {collection.key(each.asset) for one in collection.working if one.paid for each in one.declares()}
    condition = fill(collection)
    return list(
        dg.map_asset_specs(
            lambda spec: (
                spec
                if spec.partitions_def is None or spec.key in paid
                else spec.replace_attributes(automation_condition=condition)
            ),
            assets,
        )
    )


def condition_sensor(
    assets: Iterable[dg.AssetsDefinition], collection: CollectionSettings
) -> dg.AutomationConditionSensorDefinition:
    """Looks at the conditions; runs only where the collection says ``declarative``."""
    running = collection.automation.mode == "declarative"
    return dg.AutomationConditionSensorDefinition(
        collection.label("shards_by_condition"),
        target=dg.AssetSelection.assets(*(key for asset in assets for key in asset.keys)),
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
        minimum_interval_seconds=60,
        description="Runs what is missing (every hour) or failed (every night), shard by shard, by the "
        "condition on each asset.",
    )
