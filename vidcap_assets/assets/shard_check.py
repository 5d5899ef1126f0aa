"""A check that a step evaluates for each shard that it finishes, and that stops what comes after where it fails."""

from collections.abc import Mapping

import dagster as dg

# What is counted again once a step has written it: nothing lost, nothing double.
WHOLE = "whole"


def spec(
    asset: dg.AssetKey, name: str, shards: dg.PartitionsDefinition, description: str, *, blocking: bool = True
) -> dg.AssetCheckSpec:
    """The check as Dagster lists it: one evaluation a shard."""
    return dg.AssetCheckSpec(
        name, asset=asset, partitions_def=shards, blocking=blocking, description=description
    )


def evaluation(
    asset: dg.AssetKey, name: str, shard: str, passed: bool, numbers: Mapping[str, float], description: str
) -> dg.AssetCheckEvaluation:
    """What a blocking check found in a shard; Dagster draws the ``numbers`` over time."""
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=name,
        passed=passed,
        metadata={name: dg.MetadataValue.float(float(value)) for name, value in numbers.items()},
        severity=dg.AssetCheckSeverity.ERROR,
        description=description,
        blocking=True,
        partition=shard,
    )


def whole(
    asset: dg.AssetKey, shard: str, clips: int, rows: int, ids: int, answers: int = 0, stored: int = 0
) -> dg.AssetCheckEvaluation:
    """Has every clip of the manifest one row, with an id of its own, and is every answer of the lake stored?"""
    return evaluation(
        asset,
        WHOLE,
        shard,
        clips == rows == ids and answers == stored,
        {"clips": clips, "rows": rows, "ids": ids, "answers": stored},
        f"{clips} clips have {rows} rows with {ids} ids, {answers} answers have {stored} rows",
    )


def output(asset: dg.AssetKey, name: str) -> dg.Output:
    """Evaluations are one a shard; the step's own output for the check is one a step, at its end."""
    return dg.Output(None, output_name=f"{asset.to_python_identifier()}_{name}")
