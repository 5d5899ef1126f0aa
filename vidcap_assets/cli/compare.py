"""``vidcap compare``: what every captioner says of a clip."""

from typing import Annotated, Any

import typer
from rich.columns import Columns
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from resources.annotation.declaration import Role
from vidcap_assets.cli.in_force import collection
from vidcap_assets.cli.output import Json, console, fail, print_result
from vidcap_assets.cli.warehouse import query

_COMPARISON = """
SELECT comparison.*, clip.probe_error, clip
FROM caption_comparison AS comparison JOIN captioned_videos AS clip USING (id)
WHERE clip.id = $wanted OR clip.path = $wanted
   OR (length($wanted) >= 3 AND (starts_with(clip.id, $wanted) OR ends_with(clip.path, '/' || $wanted)))
ORDER BY clip.id <> $wanted, clip.path <> $wanted, clip.id
LIMIT 6
"""
_PANEL = 44  # columns of the terminal that a caption needs


def compare(
    clip: Annotated[str, typer.Argument(help="Id (or its beginning), path or file name of a clip.")],
    as_json: Json = False,
) -> None:
    """What every captioner says of a clip, side by side; words that only one of them uses are marked."""
    found = query(_COMPARISON, {"wanted": clip})
    if not found:
        fail(f"there is no clip '{clip}'; take an id, a path or a file name")
    if len(found) > 1 and clip not in (found[0]["id"], found[0]["path"]):
        ids = [row["id"] for row in found]
        fail(f"'{clip}' is ambiguous: {', '.join(ids[:5])}{', …' if len(ids) > 5 else ''}", candidates=ids)
    row = found[0]
    merged = row.pop("clip")
    answers = {
        column.name: merged[column.name]
        for one in collection().declared
        for column in one.columns
        if one.role is not Role.CAPTION and column.name in merged
    }
    print_result({**row, **answers})
    console.print(Group(Text(row["id"], style="bold"), _facts(row, answers), _captions(row)))


def _facts(row: dict[str, Any], answers: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    said = {name: ", ".join(value) if isinstance(value, list) else value for name, value in answers.items()}
    for name, value in {
        "file": row["path"], "shard": row["shard"], **said, "not readable": row["probe_error"],
    }.items():  # fmt: skip
        if value not in (None, ""):
            table.add_row(Text(name, style="dim"), Text(str(value)))
    for one in row["captions"]:
        if one["is_current"] and one["status"] != "ok":
            why = f"{one['status']}, {one['error_kind'] or ''} {one['error'] or ''}".strip()
            table.add_row(Text(one["captioner"], style="red"), Text(why))
    if older := sum(not one["is_current"] for one in row["captions"]):
        table.add_row(Text("earlier recipes", style="dim"), Text(f"{older}, see --json or the gallery"))
    return table


def _captions(row: dict[str, Any]) -> Columns:
    from resources.words.differences import own_words

    spoken = [
        (one["captioner"], one["model"], one["caption"])
        for one in row["captions"]
        if one["is_current"] and one["status"] == "ok"
    ]
    if row["source"]:
        spoken.append(("source", None, row["source"]))
    width = console.width // max(1, min(len(spoken), console.width // _PANEL)) - 1
    panels = []
    for (captioner, model, _), pieces in zip(spoken, own_words([one[2] for one in spoken]), strict=True):
        text = Text.assemble(
            *((piece, "black on yellow" if place % 2 else "") for place, piece in enumerate(pieces))
        )
        title = Text(f"{captioner}{' · the text' if captioner == row['text_source'] else ''}")
        panels.append(Panel(text, title=title, subtitle=Text(str(model or "")), width=width))
    return Columns(panels, padding=(0, 1))
