"""What the next run does again because a recipe changed: counted from the lake before anything is started."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow.compute as pc

from resources.annotation.declaration import SOURCE_TEXT, TEXT
from resources.annotation.outcome import Status
from resources.annotation.recipe import Recipe
from resources.lake.inputs import ok_answers
from resources.lake.lake import Lake
from resources.storage.files import read_table

_SHOWN = 60


@dataclass(frozen=True)
class Wanted:
    """An asset of the next run: its recipe as configured, what it reads, and of whom (preferred first)."""

    recipe: Recipe
    reads: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Redo:
    """``rows`` of ``asset`` have an answer by another recipe; ``changes`` says per setting what was and what is."""

    asset: str
    rows: int
    changes: tuple[str, ...]

    def __str__(self) -> str:
        plural = "" if self.rows == 1 else "s"
        return f"{self.asset}: {self.rows} row{plural} to be redone: {'; '.join(self.changes)}"


def redo_plan(lake: Lake, wanted: Sequence[Wanted], shards: Sequence[str]) -> list[Redo]:
    """What is redone of each asset, in the order given; assets of which nothing is redone are left out.

    ``wanted`` is in the order in which the assets run, so that who reads the text sees the new recipes. Rows that
    were skipped, and those of which the new recipe's answer is kept already, cost nothing and do not count.
    """
    stored = {recipe.fingerprint: json.loads(recipe.recipe) for recipe in lake.recipes()}
    by_asset = {one.recipe.annotator: lake.settled(one.recipe) for one in wanted}
    plan = []
    for one in wanted:
        rows, reasons = 0, Counter[str]()
        for shard in shards:
            if not lake.file(one.recipe.annotator, shard).exists():
                continue
            read = _read(lake, one, by_asset, shard)
            recipe = lake.settled(replace(one.recipe, settings={**one.recipe.settings, **read}))
            found = _others(lake, recipe, shard)
            rows += found.total()
            for fingerprint, count in found.items():
                before = stored.get(fingerprint, {})
                for change in _changes(before, json.loads(recipe.canonical_json)):
                    reasons[change] += count
        if rows:
            plan.append(Redo(one.recipe.annotator, rows, tuple(reasons) or ("its recipe changed",)))
    return plan


def _read(lake: Lake, one: Wanted, planned: Mapping[str, Recipe], shard: str) -> dict[str, Any]:
    """What the recipe will say of where the text came from: see :meth:`Inputs.of`."""
    if TEXT not in one.reads:
        return {}
    for asset in one.assets:
        if asset == SOURCE_TEXT:
            if any(clip.text for clip in lake.manifest(shard)):
                return {"text_from": {asset: None}}
        elif asset in planned:
            return {"text_from": {asset: planned[asset].fingerprint}}
        elif current := ok_answers(lake, shard, asset):
            return {"text_from": {asset: next(iter(current.values()))[1]}}
    return {"text_from": {}}


def _others(lake: Lake, recipe: Recipe, shard: str) -> Counter[str]:
    """The clips that were answered by other recipes only, by the fingerprint of the one that counts now."""
    rows = read_table(lake.file(recipe.annotator, shard), columns=["id", "fingerprint", "status", "current"])
    mine = rows.filter(pc.equal(rows["fingerprint"], recipe.fingerprint))
    answered = pc.and_(rows["current"], pc.not_equal(rows["status"], Status.SKIPPED))
    others = rows.filter(pc.and_(answered, pc.invert(pc.is_in(rows["id"], mine["id"]))))
    return Counter(others["fingerprint"].to_pylist())


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The settings that differ, each with what was and what is; nothing where the old recipe is not known."""
    old, new = dict(_flat(before)), dict(_flat(now))
    return [
        f"{name} {_text(old.get(name))} → {_text(new.get(name))}"
        for name in {**old, **new}
        if old and old.get(name) != new.get(name)
    ]


def _flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value with its place, such as ``prompt.0.text``."""
    if isinstance(value, dict | list):
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flat(one, f"{place}.{name}" if place else str(name))
    else:
        yield place, value


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
