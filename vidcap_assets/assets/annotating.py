"""The body of every annotation asset: run the loop over the shards of a step and tell Dagster about each."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from resources.annotation.accounting import AccountingError, account
from resources.annotation.annotator import Annotator
from resources.annotation.loop import LoopOptions, ShardReport, annotate_shard
from resources.annotation.outcome import ErrorKind
from resources.annotation.progress import VARIABLE, append_to
from resources.annotation.recipe import Recipe
from resources.lake.inputs import Inputs
from resources.lake.lake import Lake
from resources.storage.files import read_table
from resources.words.markdown import table
from vidcap_assets.assets import shard_check
from vidcap_assets.assets.annotate_config import ACCOUNTING, FAILED_SHARE, AnnotateConfig
from vidcap_assets.assets.checks import QualityCheck, judge
from vidcap_assets.assets.preview import contact_sheet
from vidcap_assets.assets.step_shards import StepShards, rows_version
from vidcap_assets.collection.settings import CollectionSettings

if TYPE_CHECKING:
    from resources.video import FrameReader

_PREVIEW_ROWS = 5

_ATTEMPTS = 3
_MAY_BE_THE_CLIP = frozenset({ErrorKind.INTERNAL, ErrorKind.OUT_OF_MEMORY})

Events = Iterator[dg.MaterializeResult | dg.AssetCheckEvaluation | dg.Output]


@dataclass
class AnnotationStep:
    """A step of an annotation asset: the shards of its run, one after the other with one annotator.

    Args:
        asset: the asset's name.
        version: of the recipe, as this run has it.
        prepare_workers: how many clips are prepared ahead at a time.
        quality: what is checked of the answers.
        frames: shows some of what was annotated just now; ``None`` where nothing is to be seen.
        inputs: what is read beside the pixels.
        only_below: the folder of the only clips that the annotator knows, ``None`` where it knows any.
    """

    context: dg.AssetExecutionContext
    collection: CollectionSettings
    asset: str
    config: AnnotateConfig
    lake: Lake
    version: str
    prepare_workers: int
    quality: Sequence[QualityCheck] = ()
    frames: "FrameReader | None" = None
    inputs: Inputs = field(default_factory=Inputs)
    only_below: Path | None = None

    @property
    def _key(self) -> dg.AssetKey:
        return self.collection.key(self.asset)

    def run(self, annotator: Annotator) -> Events:
        """Annotate every shard, whatever becomes of the others.

        Raises:
            dg.Failure: at the end, shards are unfinished: files of theirs cannot be read, another process
                holds them, rows are left by a passing fault.
        """
        shards = StepShards(self.context, self.collection, self.asset, self.lake)
        for shard in shards.to_do():
            with shards.attempt(shard):
                yield from self._annotate(shard, annotator, shards)
        yield from shards.results()
        for check in (ACCOUNTING, FAILED_SHARE, *(check.name for check in self.quality)):
            yield shard_check.output(self._key, check)

    def _annotate(
        self, shard: str, annotator: Annotator, shards: StepShards
    ) -> Iterator[dg.AssetCheckEvaluation]:
        clips, read = self.inputs.of(self.lake, shard)
        if self.only_below and not all(clip.path.is_relative_to(self.only_below) for clip in clips):
            shards.leave(
                shard,
                "its clips are not the demo's, and no model is named for them; name one, or demo for the "
                "demonstration model",
                may_come_right=False,
            )
            return
        own = annotator.recipe
        recipe = self.lake.settled(replace(own, annotator=self.asset, settings={**own.settings, **read}))
        self.lake.remember(recipe)
        options = LoopOptions(
            run_id=self.context.run_id,
            prepare_workers=self.prepare_workers,
            redo=self.config.redo,
            redo_kinds=frozenset(self.config.redo_kinds),
            lock_timeout_s=self.config.lock_timeout_s,
            log=self.context.log.info,
            tell=append_to(os.environ.get(VARIABLE)),
        )
        report = annotate_shard(annotator, clips, self.lake.store(recipe, shard), options)
        checks = (
            _check_accounting(self._key, self.lake, recipe, shard),
            _check_failed_share(self._key, shard, report, self.config.max_failed_share),
        )
        yield from checks
        yield from judge(self._key, self.quality, shard, clips, report.outcomes, recipe, self.config)
        faults = [f"{check.check_name}: {check.description}" for check in checks if not check.passed]
        if left := _left_to_do(report.outcomes):
            faults.append(left)
        if faults:
            shards.leave(shard, ", ".join(faults))
            return
        metadata = _metadata(report, recipe, str(self.lake.file(self.asset, shard)))
        if self.frames is not None and report.annotated:
            metadata["contact_sheet"] = dg.MetadataValue.md(
                contact_sheet(clips, report.outcomes, self.frames)
            )
        version = rows_version(report.outcomes, ["id", "value", "status", "error_kind"])
        shards.finish(shard, metadata, version, self.version)


def _left_to_do(outcomes: pa.Table) -> str:
    """What may still succeed if it is tried again; a clip whose fault repeats stays failed."""
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


def _check_accounting(asset: dg.AssetKey, lake: Lake, recipe: Recipe, shard: str) -> dg.AssetCheckEvaluation:
    """Count again from the files themselves, independently of the loop's own books."""
    rows = read_table(lake.file(recipe.annotator, shard))
    rows = rows.filter(pc.and_(rows["current"], pc.equal(rows["fingerprint"], recipe.fingerprint)))
    expected = [clip.id for clip in lake.manifest(shard)]
    try:
        tally = account(expected, zip(rows["id"].to_pylist(), rows["status"].to_pylist(), strict=True))
    except AccountingError as error:
        return shard_check.evaluation(asset, ACCOUNTING, shard, False, {"clips": len(expected)}, str(error))
    counts = {"clips": tally.rows_in, "ok": tally.ok, "failed": tally.failed, "skipped": tally.skipped}
    return shard_check.evaluation(
        asset, ACCOUNTING, shard, True, counts, f"{tally.rows_in} clips accounted for"
    )


def _check_failed_share(
    asset: dg.AssetKey, shard: str, report: ShardReport, limit: float
) -> dg.AssetCheckEvaluation:
    tally = report.tally
    return shard_check.evaluation(
        asset,
        FAILED_SHARE,
        shard,
        tally.failed_share <= limit,
        {"failed": tally.failed, "failed_share": tally.failed_share, "limit": limit},
        f"{tally.failed} of {tally.ok + tally.failed} readable clips failed",
    )


def _metadata(report: ShardReport, recipe: Recipe, uri: str) -> dict[str, dg.MetadataValue]:
    outcomes, tally = report.outcomes, report.tally
    shown = outcomes.slice(0, _PREVIEW_ROWS).to_pylist()
    shown = [row | {"value": row["value"] or row["error"] or ""} for row in shown]
    kinds = Counter(kind for kind in outcomes["error_kind"].to_pylist() if kind)
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(tally.rows_in),
        "ok": dg.MetadataValue.int(tally.ok),
        "failed": dg.MetadataValue.int(tally.failed),
        "skipped": dg.MetadataValue.int(tally.skipped),
        "failure_kinds": dg.MetadataValue.json(dict(kinds)),
        "annotated_now": dg.MetadataValue.int(report.annotated),
        "batches_isolated": dg.MetadataValue.int(report.isolated),
        "seconds": dg.MetadataValue.float(round(report.seconds, 3)),
        "tokens_in": dg.MetadataValue.int(pc.sum(outcomes["tokens_in"]).as_py() or 0),
        "tokens_out": dg.MetadataValue.int(pc.sum(outcomes["tokens_out"]).as_py() or 0),
        "recipe": dg.MetadataValue.json(json.loads(recipe.canonical_json)),
        "fingerprint": dg.MetadataValue.text(recipe.fingerprint),
        "dagster/uri": dg.MetadataValue.text(uri),
        "preview": dg.MetadataValue.md(table(["id", "status", "value"], shown)),
    }
    if report.annotated:
        metadata["clips_per_second"] = dg.MetadataValue.float(round(report.annotated / report.seconds, 3))
        metadata["model_busy_share"] = dg.MetadataValue.float(round(report.model_seconds / report.seconds, 3))
    cost = pc.sum(outcomes["cost_usd"]).as_py()
    if cost is not None:
        metadata["cost_usd"] = dg.MetadataValue.float(cost)
    return metadata
