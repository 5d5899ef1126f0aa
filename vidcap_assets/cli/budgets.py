"""A paid captioner without a budget is asked about on a terminal, with the estimate, before anything is sent."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import typer

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip
from resources.annotation.outcome import Status
from resources.lake.lake import Lake
from resources.storage.files import read_table
from vidcap_assets.cli.output import console
from vidcap_assets.cli.redo import scene
from vidcap_assets.cli.stages import Stage
from vidcap_assets.collection.settings import CollectionSettings


def with_budgets(
    settings: CollectionSettings, stages: Sequence[Stage], shards: Sequence[str]
) -> Iterator[Stage]:
    """The stages, with the dollars that somebody at the terminal lets captioners without a budget spend.

    Where nobody is there, the step refuses to run such a captioner.
    """
    lake = Lake(settings.home)
    for stage in stages:
        asked = {}
        for entry in settings.working if sys.stdin.isatty() and not console.quiet else ():
            if not entry.paid or settings.label(entry.step) not in stage.steps:
                continue
            with entry.open(scene(lake)) as opened:
                sentences = (one.why_not_paid(list(_to_do(one, lake, shards))) for one in opened.values())
                if sentence := next(filter(None, sentences), None):
                    usd = typer.prompt(f"{sentence}\nDollars that it may spend over all runs", type=float)
                    asked[settings.label(entry.key)] = {"config": {"max_cost_usd": usd}}
        yield replace(stage, config={**stage.config, "resources": asked}) if asked else stage


def _to_do(annotator: Annotator, lake: Lake, shards: Sequence[str]) -> Iterator[Clip]:
    """The clips that have no answer by this recipe yet, as the index knows them."""
    recipe = lake.settled(annotator.recipe)
    for shard in shards:
        answered: set[str] = set()
        if (file := lake.file(recipe.annotator, shard)).exists():
            mine = pc.and_(pc.field("fingerprint") == recipe.fingerprint, pc.field("status") == Status.OK)
            answered.update(read_table(file, ["id", "fingerprint", "status"]).filter(mine)["id"].to_pylist())
        for clip in lake.manifest(shard):
            if clip.id not in answered:
                yield Clip(clip.id, Path(clip.path), clip.kind)
