"""What a command would do again is said before it is done, and asked for where it is much."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Annotated, Any

import typer

from resources.annotation.declaration import TEXT, AnnotatorSettings, Scene
from resources.lake.lake import Lake
from resources.lake.redo_plan import Redo, Wanted, redo_plan
from vidcap_assets.cli.output import console, errors, fail
from vidcap_assets.collection.settings import CollectionSettings

Yes = Annotated[bool, typer.Option("--yes", help="Redo what changed settings make outdated without asking.")]

_WITHOUT_A_QUESTION = 100


def settle_redoing(settings: CollectionSettings, annotators: Sequence[AnnotatorSettings], yes: bool) -> None:
    """Say what these annotators redo because their recipe changed; above 100 rows somebody has to agree.

    Raises:
        typer.Exit: nobody did; nothing was started.
    """
    plan = planned_redoing(settings, annotators)
    rows = sum(redo.rows for redo in plan)
    for redo in plan:
        errors.print(str(redo), markup=False, soft_wrap=True)
    if yes or rows <= _WITHOUT_A_QUESTION:
        return
    if console.quiet or not sys.stdin.isatty():
        reasons = " · ".join(map(str, plan))
        fail(f"{rows} rows would be redone, nothing was started; agree with --yes ({reasons})")
    if not typer.confirm(f"Redo {rows} rows?", err=True):
        fail("nothing was started")


def planned_redoing(settings: CollectionSettings, annotators: Sequence[AnnotatorSettings]) -> list[Redo]:
    """What these annotators would redo, in the order of the file."""
    lake = Lake(settings.home)
    shards = lake.shards()
    wanted = []
    with ExitStack() as opened:
        for entry in annotators:
            declared = entry.declares()
            # First answers may change what others, which have some, are shown.
            concerned = [one for each in (entry, *settings.readers(entry)) for one in each.declares()]
            if not any(lake.stored_shards(one.asset) for one in concerned):
                continue
            found = opened.enter_context(entry.open(scene(lake)))
            for one in declared:
                assets = (
                    settings.read_order(settings.text.order) if TEXT in one.reads else settings.upstream(one)
                )
                recipe = found[one.asset].recipe
                wanted.append(Wanted(replace(recipe, annotator=one.asset), one.reads, tuple(assets)))
    return redo_plan(lake, wanted, shards)


def scene(lake: Lake) -> Scene:
    """For who only asks an annotator: opening gives the recipe; frames are for annotating alone."""
    nothing: Any = None
    return Scene(nothing, nothing, lake, "plan", lambda line: None)
