"""What a changed recipe redoes is counted before it is done."""

import pytest

from resources.annotation.declaration import PIXELS, TEXT
from resources.annotation.outcome import ClipError, ErrorKind
from resources.annotation.recipe import Recipe
from resources.lake.redo_plan import Redo, Wanted, redo_plan
from tests.dataset.collection import Collection, clip

CAPTIONER, TAGS = "captions_llava", "tags_objects"


def wanted(model: str, prompt: str | None = None) -> Wanted:
    settings = {"model": model} | ({"prompt": prompt} if prompt else {})
    return Wanted(Recipe(CAPTIONER, settings), (PIXELS,))


def tags(order: tuple[str, ...] = (CAPTIONER,)) -> Wanted:
    return Wanted(Recipe(TAGS, {"model": "tiny"}), (TEXT,), order)


@pytest.fixture
def captioned(tmp_path) -> Collection:
    """Two shards: three captions, a refusal, a file that cannot be read."""
    made = Collection(tmp_path / "home")
    made.add_shard("shard-00000", [clip("a1"), clip("a2"), clip("a3", probe_error="decode_error: x")])
    made.add_shard("shard-00001", [clip("b1"), clip("b2")])
    refused = ClipError(ErrorKind.REFUSED, "no")
    made.annotate(CAPTIONER, lambda one: refused if one.id == "b2" else "A ball.")
    return made


def test_an_unchanged_recipe_redoes_nothing(captioned: Collection) -> None:
    assert redo_plan(captioned.lake, [wanted("tiny")], captioned.lake.shards()) == []


def test_a_changed_setting_redoes_what_was_answered(captioned: Collection) -> None:
    lake = captioned.lake
    [redo] = redo_plan(lake, [wanted("tiny", "Now.")], lake.shards())
    assert redo == Redo(CAPTIONER, 4, ('prompt null → "Now."',)), "the unreadable file was never asked about"
    assert str(redo) == 'captions_llava: 4 rows to be redone: prompt null → "Now."'
    [redo] = redo_plan(lake, [wanted("tiny", "Now.")], ["shard-00001"])
    assert redo.rows == 2


def test_answers_that_are_kept_of_an_earlier_time_cost_nothing(captioned: Collection) -> None:
    captioned.annotate(CAPTIONER, lambda one: "A green ball.", model="large")
    assert redo_plan(captioned.lake, [wanted("tiny")], captioned.lake.shards()) == []


def test_who_reads_the_text_is_counted_with_the_captioner(captioned: Collection) -> None:
    lake = captioned.lake
    fingerprint = wanted("tiny").recipe.fingerprint
    for shard in lake.shards():
        _tag(captioned, shard, {"model": "tiny", "text_from": {CAPTIONER: fingerprint}})
    assert redo_plan(lake, [tags()], lake.shards()) == []
    assert redo_plan(lake, [wanted("tiny"), tags()], lake.shards()) == []
    both = redo_plan(lake, [wanted("large"), tags()], lake.shards())
    assert [(redo.asset, redo.rows) for redo in both] == [(CAPTIONER, 4), (TAGS, 4)]
    assert both[1].changes[0].startswith("text_from")


def test_another_order_of_the_texts_redoes_the_tags_alone(captioned: Collection) -> None:
    lake = captioned.lake
    _tag(
        captioned,
        "shard-00001",
        {"model": "tiny", "text_from": {CAPTIONER: wanted("tiny").recipe.fingerprint}},
    )
    captioned.annotate("captions_pllava", lambda one: "A ball rolls.")
    [redo] = redo_plan(lake, [wanted("tiny"), tags(("captions_pllava", CAPTIONER))], lake.shards())
    assert (redo.asset, redo.rows) == (TAGS, 2)


def _tag(collection: Collection, shard: str, settings: dict) -> None:
    from resources.annotation.loop import LoopOptions, annotate_shard
    from tests.dataset.collection import ScriptedAnnotator

    annotator = ScriptedAnnotator(TAGS, lambda one: "[]")
    annotator._recipe = Recipe(TAGS, settings)
    lake = collection.lake
    annotate_shard(annotator, lake.clips(shard), lake.store(annotator.recipe, shard), LoopOptions(log=str))
    lake.remember(annotator.recipe)
