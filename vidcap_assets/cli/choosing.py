"""Annotators as people name them on a command line, found in the collection."""

from collections.abc import Sequence

import typer

from resources.annotation.declaration import SOURCE_TEXT, AnnotatorSettings, Role
from vidcap_assets.collection.settings import CollectionSettings, caption_asset


def is_captioner(entry: AnnotatorSettings) -> bool:
    """Does it say what may become the text?"""
    return any(one.role is Role.CAPTION for one in entry.declares())


def chosen(settings: CollectionSettings, captioners: str | None) -> list[AnnotatorSettings]:
    """The annotators of a run: the captioners that are named, else all unpaid ones, and what else is unpaid."""
    there = [one for one in settings.working if is_captioner(one)]
    if captioners is None:
        return [one for one in settings.working if not one.paid]
    named = {name.strip().removeprefix("captions_") for name in captioners.split(",") if name.strip()}
    if unknown := sorted(named - {one.name for one in there}):
        left_out = next((settings.left_out[name] for name in unknown if name in settings.left_out), None)
        names = ", ".join(one.name for one in there) or "none"
        raise typer.BadParameter(left_out or f"no such captioner {', '.join(unknown)}; there are {names}")
    return [
        one
        for one in settings.working
        if (one.name in named if is_captioner(one) else one.name in named or not one.paid)
    ]


def assets_named(settings: CollectionSettings, names: Sequence[str], *extra: str) -> list[str]:
    """The annotation assets that are named by themselves, or by their entry; ``extra`` names stand for themselves."""
    of = {one.asset: [one.asset] for one in settings.declared} | {name: [name] for name in extra}
    of |= {entry.name: [one.asset for one in entry.declares()] for entry in settings.working}
    if unknown := [name for name in names if name not in of]:
        raise typer.BadParameter(f"no such annotator {', '.join(unknown)}; there are {', '.join(of)}")
    return [asset for name in names for asset in of[name]]


def captions_named(settings: CollectionSettings, names: Sequence[str]) -> list[str]:
    """The assets of captioners, or ``source``, by their short names or their own."""
    there = [*settings.captions, SOURCE_TEXT]
    found = [caption_asset(name) for name in names]
    if unknown := [name for name in found if name not in there]:
        short = ", ".join(name.removeprefix("captions_") for name in there)
        names_unknown = ", ".join(name.removeprefix("captions_") for name in unknown)
        raise typer.BadParameter(f"no such captioner {names_unknown}; there are {short}")
    return found
