"""A recipe keeps the fingerprint that its rows have, whatever only names change, and loses it with its content."""

import json
from pathlib import Path

import pytest

from resources.annotation.recipe import Recipe
from resources.lake.lake import Lake

LABELS = frozenset({"model"})


def settled(lake: Lake, recipe: Recipe) -> Recipe:
    known = lake.settled(recipe)
    lake.remember(known)
    return known


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def local(name: str, weights: str, former: str | None = None) -> Recipe:
    formerly = {"model": name, "weights": former} if former else {}
    settings = {
        "model": name,
        "weights": weights,
        "adapter": {"model": f"{name}-a", "weights": "1"},
        "prompt": "p",
    }
    return Recipe("captions_a", settings, LABELS, formerly)


def test_a_folder_that_is_renamed_keeps_its_rows(lake: Lake) -> None:
    first = settled(lake, local("old name", "w"))
    assert settled(lake, local("new name", "w")).fingerprint == first.fingerprint
    assert settled(lake, local("new name", "w")).fingerprint == first.fingerprint
    assert settled(lake, local("old name", "other")).fingerprint != first.fingerprint
    assert len(lake.recipes()) == 2


def test_a_recipe_without_labels_goes_by_every_setting(lake: Lake) -> None:
    first = settled(lake, Recipe("a", {"model": "x"}))
    assert settled(lake, Recipe("a", {"model": "y"})).fingerprint != first.fingerprint


def test_rows_of_an_earlier_version_are_taken_over_once(lake: Lake) -> None:
    """0.1.0 hashed notes beside the weights, and no ``.bin``: its rows stay until the weights change."""
    old = settled(lake, local("m", "by the old rule"))
    now = settled(lake, local("m", "by the new rule", former="by the old rule"))
    assert now.fingerprint == old.fingerprint
    assert settled(lake, local("m", "by the new rule", former="a note more")).fingerprint == old.fingerprint
    other = settled(lake, local("m", "other weights", former="by the old rule"))
    assert other.fingerprint != old.fingerprint
    assert len(lake.recipes()) == 2


def test_another_annotator_is_never_the_same(lake: Lake) -> None:
    settled(lake, Recipe("a", {"weights": "w"}, LABELS))
    assert settled(lake, Recipe("b", {"weights": "w"}, LABELS)).known_as is None


def test_a_recipe_says_which_versions_answered_and_does_not_depend_on_them(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = settled(lake, local("m", "w"))
    assert {"torch", "transformers", "pillow"} <= lake.recipes()[0].versions.keys()
    monkeypatch.setattr("resources.lake.lake.version", lambda name: "99")
    assert settled(lake, local("m", "w")).fingerprint == first.fingerprint


def test_a_recipe_file_of_0_1_0_is_read(lake: Lake) -> None:
    recipe = local("m", "w")
    file = lake.root / "lake" / "recipes" / f"{recipe.fingerprint}.json"
    file.parent.mkdir(parents=True)
    content = {"fingerprint": recipe.fingerprint, "annotator": "captions_a", "recipe": recipe.canonical_json}
    file.write_text(json.dumps(content | {"first_seen": "2026-01-01T00:00:00+00:00"}))
    assert settled(lake, recipe).fingerprint == recipe.fingerprint
    assert lake.recipes()[0].versions == {}
