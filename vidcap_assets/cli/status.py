"""``vidcap status``: how far every annotator is, what failed, how fast it went, what it cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from resources.lake.left_out import counted
from vidcap_assets.cli.in_force import collection, tell_left_out
from vidcap_assets.cli.output import Json, console, print_result
from vidcap_assets.cli.warehouse import query

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


def status(as_json: Json = False) -> None:
    """How far every annotator is, what failed and how to retry it, how fast it went, what it cost."""
    settings = collection()
    coverage, failures, throughput, costs = map(query, (_COVERAGE, _FAILURES, _THROUGHPUT, _COSTS))
    content = {"coverage": coverage, "failures": failures, "throughput": throughput, "costs": costs}
    files = counted(settings.lake_block.open().left_out())
    print_result({**content, "left_out": settings.left_out, "left_out_files": files})
    tell_left_out(settings)
    show_coverage(coverage)
    _print_table("No clips", files, files="files", kind="kind", reason="why", example="for example")
    failed = [{**row, "example": f"{row['example_id']}: {row['example']}"} for row in failures]
    _print_table(
        "Failed", failed, annotator="annotator", error_kind="why", clips="clips", example="for example"
    )
    if failures:
        console.print("Try again:", style="bold")
    for command in dict.fromkeys(row["command"] for row in failures):
        console.print(f"  {command}", markup=False)
    _print_table(
        "Speed of the latest run", throughput, annotator="annotator", clips="clips", clips_per_second="clips/s",
        clips_per_model_second="clips/s of the model", tokens_per_model_second="tokens/s of the model",
    )  # fmt: skip
    _print_table(
        "Cost", [row for row in costs if row["cost_usd"] is not None], annotator="annotator", model="model",
        clips="clips", tokens_in="tokens in", tokens_out="tokens out", cost_usd="US$",
        cost_usd_per_caption="US$ a caption",
    )  # fmt: skip


def show_coverage(rows: list[dict[str, Any]] | None = None) -> None:
    """The coverage table alone."""
    rows = query(_COVERAGE) if rows is None else rows
    table = Table(Column("annotator", no_wrap=True), "ok", "failed", "skipped", "not yet", "shards", "")
    for row in rows:
        full = round(_BAR * (row["clips"] - row["missing"]) / row["clips"]) if row["clips"] else 0
        table.add_row(
            row["annotator"],
            str(row["ok"]),
            Text(str(row["failed"]), style="red" if row["failed"] else ""),
            str(row["skipped"]),
            str(row["missing"]),
            f"{row['shards_done']}/{row['shards']}",
            Text("━" * full, style="green") + Text("━" * (_BAR - full), style="dim"),
        )
    console.print(table)


def _print_table(title: str, rows: Sequence[Mapping[str, Any]], **columns: str) -> None:
    """A table of some columns of the rows, by the names that they are to have; nothing where there are no rows."""
    table = Table(*columns.values(), title=title, title_justify="left")
    for row in rows:
        table.add_row(*(escape(_cell(row[name])) for name in columns))
    if rows:
        console.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.{2 if value >= 1 else 5}f}" if isinstance(value, float) else str(value)
