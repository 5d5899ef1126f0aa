"""What happens by itself: one switch, ``VIDCAP_AUTOMATION``, and the declarative way.

``off`` (the default): nothing starts by itself. ``schedules``: new clips are found and captioned, gaps are
filled every night, the dataset is published every week. ``declarative``: the same, but what is captioned when
is said by the condition on each asset, so that Dagster's automation decides and shows why.
"""

from collections.abc import Iterable
from enum import StrEnum

import dagster as dg

from vidcap_assets.collection import environment

VARIABLE = "VIDCAP_AUTOMATION"
NIGHTLY = "0 2 * * *"
HOURLY = "0 * * * *"
WEEKLY = "0 6 * * 0"
TIMEZONE = "UTC"

# Paid annotators never run by themselves, so nothing waits for them.
PAID = ("captions_gpt4v",)


class Automation(StrEnum):
    """The settings of the switch."""

    OFF = "off"
    SCHEDULES = "schedules"
    DECLARATIVE = "declarative"


def automation() -> Automation:
    """What ``VIDCAP_AUTOMATION`` says.

    Raises:
        ValueError: something else than off, schedules or declarative.
    """
    setting = (environment.setting(VARIABLE) or Automation.OFF).strip().lower()
    try:
        return Automation(setting)
    except ValueError:
        raise ValueError(f"{VARIABLE}={setting}: choose one of {', '.join(Automation)}") from None


def sensor_status(*settings: Automation) -> dg.DefaultSensorStatus:
    """Running under these settings of the switch, until somebody says otherwise in the UI."""
    return dg.DefaultSensorStatus.RUNNING if automation() in settings else dg.DefaultSensorStatus.STOPPED


def schedule_status(*settings: Automation) -> dg.DefaultScheduleStatus:
    """Running under these settings of the switch, until somebody says otherwise in the UI."""
    return dg.DefaultScheduleStatus.RUNNING if automation() in settings else dg.DefaultScheduleStatus.STOPPED


def _fill() -> dg.AutomationCondition:
    condition = dg.AutomationCondition
    ignored = dg.AssetSelection.assets("video_index", *PAID)
    failing = condition.execution_failed()
    missing = condition.cron_tick_passed(HOURLY, TIMEZONE) & condition.missing() & ~failing
    failed = condition.cron_tick_passed(NIGHTLY, TIMEZONE) & failing
    waits = condition.any_deps_missing().ignore(ignored)
    return ((missing | failed) & ~waits & ~condition.in_progress()).with_label(
        "missing_hourly_failed_nightly"
    )


# A shard that goes on failing is asked for once a night (it is missing as well, where it never came right), one
# that is merely missing once an hour, and nothing while a run has it: without the cron ticks, a failing shard would
# be asked for at every look.
FILL = _fill()


def with_conditions(
    assets: Iterable[dg.AssetsDefinition], paid: Iterable[str] = PAID
) -> list[dg.AssetsDefinition]:
    """The assets, those of a shard with the condition under which they run by themselves; paid ones without."""
    never = {dg.AssetKey(name) for name in paid}

    def condition(spec: dg.AssetSpec) -> dg.AssetSpec:
        if spec.partitions_def is None or spec.key in never:
            return spec
        return spec.replace_attributes(automation_condition=FILL)

    return list(dg.map_asset_specs(condition, assets))


def condition_sensor(assets: Iterable[dg.AssetsDefinition]) -> dg.AutomationConditionSensorDefinition:
    """Looks at the conditions; runs only where the switch says ``declarative``."""
    return dg.AutomationConditionSensorDefinition(
        "shards_by_condition",
        target=dg.AssetSelection.assets(*(key for asset in assets for key in asset.keys)),
        default_status=sensor_status(Automation.DECLARATIVE),
        minimum_interval_seconds=60,
        description="Runs what is missing (every hour) or failed (every night), shard by shard, by the "
        "condition on each asset.",
    )
