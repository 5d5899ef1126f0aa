"""The body of every annotation asset: run the loop over the shards of a step and tell Dagster about each."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from resources.annotation.accounting import AccountingError, account
from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip
from resources.annotation.loop import LoopOptions, Redo, ShardReport, annotate_shard
from resources.annotation.outcome import AnnotatorError, ErrorKind
from resources.annotation.recipe import Recipe
from resources.annotation.store import ShardBusyError
from resources.lake import Lake, NotMaterialisedError
from resources.storage import read_table
from vidcap_assets.checks import QualityCheck, QualityConfig, judge, quality_specs
from vidcap_assets.partitions import shards, shards_of_run
from vidcap_assets.preview import Preview

ACCOUNTING = "accounting"
FAILED_SHARE = "failed_share"
_PREVIEW_ROWS = 5

_ATTEMPTS = 3
_MAY_BE_THE_CLIP = frozenset({ErrorKind.INTERNAL, ErrorKind.OUT_OF_MEMORY})

Events = Iterator[dg.MaterializeResult | dg.AssetCheckEvaluation | dg.Output]


class AnnotateConfig(QualityConfig):
    """How an annotation asset treats what is there already, and what it accepts."""

    redo: Redo = Field(
        default=Redo.NOTHING,
        description="Which recorded outcomes of the same recipe to do again: nothing, failed or all.",
    )
    max_failed_share: float = Field(
        default=0.5,
        description="A shard in which a larger share of the readable clips failed does not pass its check.",
    )
    lock_timeout_s: float = Field(
        default=600.0,
        description="Seconds to wait for another process that is annotating the same shard.",
    )


@dataclass(frozen=True)
class ShardTask:
    """What to run on one shard."""

    annotator: Annotator
    clips: list[Clip]


def check_specs(asset: str, quality: Sequence[QualityCheck] = ()) -> list[dg.AssetCheckSpec]:
    """What an annotation asset evaluates for each shard it finishes: two blocking checks, and its own."""
    return [
        dg.AssetCheckSpec(
            ACCOUNTING,
            asset=asset,
            partitions_def=shards,
            blocking=True,
            description="Every clip of the shard has exactly one row with exactly one terminal status.",
        ),
        dg.AssetCheckSpec(
            FAILED_SHARE,
            asset=asset,
            partitions_def=shards,
            blocking=True,
            description="Not more than the accepted share of the readable clips failed.",
        ),
        *quality_specs(asset, quality),
    ]


@contextmanager
def failing_clearly(asset: str) -> Iterator[None]:
    """Let what no clip is to blame for fail the step in one sentence, and retry it only where that may help."""
    try:
        yield
    except AnnotatorError as error:
        raise dg.Failure(f"{asset}: {error}", allow_retries=error.retryable) from error
    except NotMaterialisedError as error:
        raise dg.Failure(f"{asset}: {error}", allow_retries=False) from error


def annotate_shards(
    context: dg.AssetExecutionContext,
    asset: str,
    config: AnnotateConfig,
    lake: Lake,
    task: Callable[[str], ShardTask],
    prepare_workers: int,
    quality: Sequence[QualityCheck] = (),
    preview: Preview | None = None,
) -> Events:
    """Annotate the shards of this run, one after the other with one annotator.

    A shard is logged as materialised the moment it is finished, so that a later failure or kill leaves it
    green. One that could not be finished (another process holds it, rows left by a passing fault) does not
    stop the others; all such are raised at the end. ``preview`` shows some of what was annotated just now.
    """
    keys = shards_of_run(context, lake)
    unfinished: dict[str, str] = {}
    finished: dict[str, dict[str, dg.MetadataValue]] = {}
    versions: dict[str, str] = {}
    for shard in keys:
        try:
            todo = task(shard)
            lake.remember(todo.annotator.recipe)
            report = annotate_shard(
                todo.annotator,
                todo.clips,
                lake.store(todo.annotator.recipe, shard),
                LoopOptions(
                    run_id=context.run_id,
                    prepare_workers=prepare_workers,
                    redo=config.redo,
                    lock_timeout_s=config.lock_timeout_s,
                    log=context.log.info,
                ),
            )
        except (ShardBusyError, AccountingError) as error:
            unfinished[shard] = str(error)
            continue
        checks = (
            _check_accounting(asset, lake, todo.annotator.recipe, shard),
            _check_failed_share(asset, shard, report, config.max_failed_share),
        )
        yield from checks
        faults = [f"{check.check_name}: {check.description}" for check in checks if not check.passed]
        if left := _left_to_do(report.outcomes):
            faults.append(left)
        if faults:
            unfinished[shard] = ", ".join(faults)
            continue
        yield from judge(asset, quality, shard, todo.clips, report.outcomes, todo.annotator.recipe, config)
        finished[shard] = _metadata(report, todo.annotator.recipe, lake)
        if preview is not None and report.annotated:
            finished[shard]["contact_sheet"] = dg.MetadataValue.md(preview(todo.clips, report.outcomes))
        versions[shard] = rows_version(report.outcomes, ["id", "value", "status", "error_kind"])
        _log_materialised(context, asset, shard, finished[shard], versions[shard])
    if unfinished:
        reasons = "; ".join(f"{shard}: {reason}" for shard, reason in unfinished.items())
        raise dg.Failure(f"{asset}: {len(unfinished)} of {len(keys)} shards are unfinished: {reasons}")
    yield from materialised(context, asset, finished, versions)
    for check in (ACCOUNTING, FAILED_SHARE, *(check.name for check in quality)):
        # The evaluations above are one a shard; the step's own output for the check is one a step.
        yield dg.Output(None, output_name=f"{asset}_{check}")


def materialised(
    context: dg.AssetExecutionContext,
    asset: str,
    metadata: dict[str, dict[str, dg.MetadataValue]],
    versions: dict[str, str],
) -> Iterator[dg.MaterializeResult]:
    """The result of a step over finished shards.

    A result carries one data version for all its partitions. After a range, each shard's own is therefore
    logged once more, behind it, so that an unchanged shard keeps what depends on it fresh.
    """
    for shard, values in metadata.items():
        context.add_asset_metadata(values, asset_key=asset, partition_key=shard)
    together = versions[next(iter(versions))] if len(versions) == 1 else _digest(sorted(versions.items()))
    yield dg.MaterializeResult(asset_key=asset, data_version=dg.DataVersion(together))
    if len(versions) > 1:
        for shard, values in metadata.items():
            _log_materialised(context, asset, shard, values, versions[shard])


def rows_version(table: pa.Table, columns: list[str]) -> str:
    """A data version: the hash of those columns, in the order of the rows."""
    return _digest(table.select(columns).to_pydict())


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, default=str, ensure_ascii=False).encode()).hexdigest()[:16]


def _log_materialised(
    context: dg.AssetExecutionContext,
    asset: str,
    shard: str,
    metadata: dict[str, dg.MetadataValue],
    version: str,
) -> None:
    context.log_event(
        dg.AssetMaterialization(
            asset, partition=shard, metadata=metadata, tags={"dagster/data_version": version}
        )
    )


def _left_to_do(outcomes: pa.Table) -> str:
    """What may still come right if it is tried again; a fault of the clip that repeats is let go as failed."""
    rows = zip(*(outcomes[name].to_pylist() for name in ("error_kind", "attempt", "error")), strict=True)
    left = [
        (kind, error)
        for kind, attempt, error in rows
        if kind
        and ErrorKind(kind).fails_shard
        and (attempt < _ATTEMPTS or ErrorKind(kind) not in _MAY_BE_THE_CLIP)
    ]
    if not left:
        return ""
    counts = ", ".join(f"{count} {kind}" for kind, count in Counter(kind for kind, _ in left).most_common())
    return f"{len(left)} clips left to do ({counts}), the first: {left[0][1]}"


def _check_accounting(asset: str, lake: Lake, recipe: Recipe, shard: str) -> dg.AssetCheckEvaluation:
    """Count again from the files themselves, independently of the loop's own books."""
    rows = read_table(lake.file(asset, shard))
    rows = rows.filter(pc.and_(rows["current"], pc.equal(rows["fingerprint"], recipe.fingerprint)))
    expected = [clip.id for clip in lake.manifest(shard)]
    try:
        tally = account(expected, zip(rows["id"].to_pylist(), rows["status"].to_pylist(), strict=True))
    except AccountingError as error:
        return _evaluation(asset, ACCOUNTING, shard, False, {"clips": len(expected)}, str(error))
    counts = {"clips": tally.rows_in, "ok": tally.ok, "failed": tally.failed, "skipped": tally.skipped}
    return _evaluation(asset, ACCOUNTING, shard, True, counts, f"{tally.rows_in} clips accounted for")


def _check_failed_share(asset: str, shard: str, report: ShardReport, limit: float) -> dg.AssetCheckEvaluation:
    tally = report.tally
    return _evaluation(
        asset,
        FAILED_SHARE,
        shard,
        tally.failed_share <= limit,
        {"failed": tally.failed, "failed_share": tally.failed_share, "limit": limit},
        f"{tally.failed} of {tally.ok + tally.failed} readable clips failed",
    )


def _evaluation(
    asset: str, check: str, shard: str, passed: bool, metadata: Mapping[str, float], description: str
) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(asset),
        check_name=check,
        passed=passed,
        metadata={name: dg.MetadataValue.float(float(value)) for name, value in metadata.items()},
        severity=dg.AssetCheckSeverity.ERROR,
        description=description,
        blocking=True,
        partition=shard,
    )


def _metadata(report: ShardReport, recipe: Recipe, lake: Lake) -> dict[str, dg.MetadataValue]:
    outcomes, tally = report.outcomes, report.tally
    kinds = Counter(kind for kind in outcomes["error_kind"].to_pylist() if kind)
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(tally.rows_in),
        "ok": dg.MetadataValue.int(tally.ok),
        "failed": dg.MetadataValue.int(tally.failed),
        "skipped": dg.MetadataValue.int(tally.skipped),
        "failure_kinds": dg.MetadataValue.json(dict(kinds)),
        "annotated_now": dg.MetadataValue.int(report.annotated),
        "seconds": dg.MetadataValue.float(round(report.seconds, 3)),
        "tokens_in": dg.MetadataValue.int(pc.sum(outcomes["tokens_in"]).as_py() or 0),
        "tokens_out": dg.MetadataValue.int(pc.sum(outcomes["tokens_out"]).as_py() or 0),
        "recipe": dg.MetadataValue.json(json.loads(recipe.canonical_json)),
        "fingerprint": dg.MetadataValue.text(recipe.fingerprint),
        "dagster/uri": dg.MetadataValue.text(str(lake.file(recipe.annotator, ""))),
        "preview": dg.MetadataValue.md(_preview(outcomes)),
    }
    if report.annotated:
        metadata["clips_per_second"] = dg.MetadataValue.float(round(report.annotated / report.seconds, 3))
        metadata["model_busy_share"] = dg.MetadataValue.float(round(report.model_seconds / report.seconds, 3))
    cost = pc.sum(outcomes["cost_usd"]).as_py()
    if cost is not None:
        metadata["cost_usd"] = dg.MetadataValue.float(cost)
    return metadata


def _preview(outcomes: pa.Table) -> str:
    rows = outcomes.slice(0, _PREVIEW_ROWS).to_pylist()
    lines = [
        f"| {row['id']} | {row['status']} | {_cell(row['value'] or row['error'] or '')} |" for row in rows
    ]
    return "\n".join(["| id | status | value |", "|---|---|---|", *lines])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
