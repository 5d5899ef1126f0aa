"""Commands that only look: how far it is, and what was said of a clip."""

from typing import Annotated, Any

import typer
from rich.columns import Columns
from rich.console import Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from resources.annotation.declaration import Role
from vidcap_assets.cli.in_force import collection, tell_left_out
from vidcap_assets.cli.output import Json, console, fail, print_json
from vidcap_assets.cli.reading import query

_BAR = 12
_COVERAGE = """
SELECT annotator, sum(clips) AS clips, sum(ok) AS ok, sum(failed) AS failed, sum(skipped) AS skipped,
       sum(missing) AS missing, count(*) FILTER (missing = 0) AS shards_done, count(*) AS shards
FROM coverage GROUP BY annotator ORDER BY annotator
"""
_FAILURES = (
    "SELECT annotator, error_kind, clips, len(shards) AS shards, example_id, example, command FROM failures"
)
_THROUGHPUT = """
SELECT annotator, run_id, clips, failed, started_at, wall_seconds, clips_per_second, clips_per_model_second,
       tokens_per_model_second
FROM throughput
QUALIFY row_number() OVER (PARTITION BY annotator ORDER BY started_at DESC) = 1
ORDER BY annotator
"""
_COSTS = """
SELECT annotator, fingerprint, model, is_current, clips, tokens_in, tokens_out, cost_usd, cost_usd_per_caption
FROM costs WHERE cost_usd IS NOT NULL OR tokens_out > 0
"""
_COMPARISON = """
SELECT comparison.*, clip.probe_error, clip
FROM caption_comparison AS comparison JOIN captioned_videos AS clip USING (id)
WHERE clip.id = $wanted OR clip.path = $wanted
   OR (length($wanted) >= 3 AND (starts_with(clip.id, $wanted) OR ends_with(clip.path, '/' || $wanted)))
ORDER BY clip.id <> $wanted, clip.path <> $wanted, clip.id
LIMIT 6
"""


def status(as_json: Json = False) -> None:
    """How far every annotator is, what failed and how to retry it, how fast it went, what it cost."""
    settings = collection()
    coverage = query(_COVERAGE, as_json)
    failures = query(_FAILURES, as_json)
    throughput = query(_THROUGHPUT, as_json)
    costs = query(_COSTS, as_json)
    if as_json:
        content = {"coverage": coverage, "failures": failures, "throughput": throughput, "costs": costs}
        print_json({**content, "left_out": settings.left_out})
        return
    tell_left_out(settings)
    _print_coverage(coverage)
    if failures:
        table = Table("annotator", "why", "clips", "for example", title="Failed", title_justify="left")
        for row in failures:
            table.add_row(
                row["annotator"],
                row["error_kind"],
                str(row["clips"]),
                escape(f"{row['example_id']}: {row['example']}"),
            )
        console.print(table)
        console.print("Try again:", style="bold")
        for command in dict.fromkeys(row["command"] for row in failures):
            console.print(f"  {command}", markup=False)
    if throughput:
        table = Table(
            "annotator", "clips", "clips/s", "clips/s of the model", "tokens/s of the model",
            title="Speed of the latest run", title_justify="left",
        )  # fmt: skip
        for row in throughput:
            speeds = ("clips_per_second", "clips_per_model_second", "tokens_per_model_second")
            table.add_row(row["annotator"], str(row["clips"]), *(_number(row[name]) for name in speeds))
        console.print(table)
    if paid := [row for row in costs if row["cost_usd"] is not None]:
        table = Table("annotator", "model", "clips", "tokens in", "tokens out", "US$", "US$ a caption",
                      title="Cost", title_justify="left")  # fmt: skip
        for row in paid:
            table.add_row(
                row["annotator"], escape(str(row["model"] or "")), str(row["clips"]), str(row["tokens_in"]),
                str(row["tokens_out"]), f"{row['cost_usd']:.4f}", _number(row["cost_usd_per_caption"], 5),
            )  # fmt: skip
        console.print(table)


def compare(
    clip: Annotated[str, typer.Argument(help="Id (or its beginning), path or file name of a clip.")],
    as_json: Json = False,
) -> None:
    """What every captioner says of a clip, side by side; words that only one of them uses are marked."""
    found = query(_COMPARISON, as_json, {"wanted": clip})
    if not found:
        fail(f"there is no clip '{clip}'; take an id, a path or a file name", as_json)
    exact = [row for row in found if clip in (row["id"], row["path"])]
    if len(found) > 1 and not exact:
        fail(
            f"'{clip}' is ambiguous: {', '.join(row['id'] for row in found[:5])}{', …' if len(found) > 5 else ''}",
            as_json,
            candidates=[row["id"] for row in found],
        )
    row = found[0]
    known = row.pop("clip")
    facts = {
        column.name: known[column.name]
        for one in collection().declared
        for column in one.columns
        if one.role is not Role.CAPTION and column.name in known
    }
    if as_json:
        print_json({**row, **facts})
        return
    _print_comparison(row, facts)


def show_coverage() -> None:
    """The coverage table alone."""
    _print_coverage(query(_COVERAGE, as_json=False))


def _print_coverage(rows: list[dict[str, Any]]) -> None:
    table = Table(Column("annotator", no_wrap=True), "ok", "failed", "skipped", "not yet", "shards", "")
    for row in rows:
        share = (row["clips"] - row["missing"]) / row["clips"] if row["clips"] else 0
        table.add_row(
            row["annotator"],
            str(row["ok"]),
            Text(str(row["failed"]), style="red" if row["failed"] else ""),
            str(row["skipped"]),
            str(row["missing"]),
            f"{row['shards_done']}/{row['shards']}",
            _bar(share),
        )
    console.print(table)


def _bar(share: float) -> Text:
    full = round(share * _BAR)
    return Text("━" * full, style="green") + Text("━" * (_BAR - full), style="dim")


def _print_comparison(row: dict[str, Any], columns: dict[str, Any]) -> None:
    from resources.words.differences import own_words

    current = [said for said in row["captions"] if said["is_current"]]
    spoken = [
        (said["captioner"], said["model"], said["caption"]) for said in current if said["status"] == "ok"
    ]
    if row["source"]:
        spoken.append(("source", None, row["source"]))
    panels = []
    for (captioner, model, _), pieces in zip(spoken, own_words([said[2] for said in spoken]), strict=True):
        text = Text()
        for place, piece in enumerate(pieces):
            text.append(piece, style="black on yellow" if place % 2 else "")
        chosen = " · the text" if captioner == row["text_source"] else ""
        title = Text(f"{captioner}{chosen}")
        panels.append(
            Panel(text, title=title, subtitle=Text(str(model or "")), width=_panel_width(len(spoken)))
        )
    facts = Table.grid(padding=(0, 2))
    for name, value in (
        ("file", row["path"]),
        ("shard", row["shard"]),
        *((name, ", ".join(said) if isinstance(said, list) else said) for name, said in columns.items()),
        ("not readable", row["probe_error"]),
    ):
        if value not in (None, ""):
            facts.add_row(Text(name, style="dim"), Text(str(value)))
    for said in current:
        if said["status"] != "ok":
            why = f"{said['status']}, {said['error_kind'] or ''} {said['error'] or ''}".strip()
            facts.add_row(Text(said["captioner"], style="red"), Text(why))
    older = len(row["captions"]) - len(current)
    if older:
        facts.add_row(Text("earlier recipes", style="dim"), Text(f"{older}, see --json or the gallery"))
    console.print(Group(Text(row["id"], style="bold"), facts, Columns(panels, padding=(0, 1))))


def _panel_width(panels: int) -> int | None:
    fitting = max(1, min(panels, console.width // 44))
    return console.width // fitting - 1


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"
