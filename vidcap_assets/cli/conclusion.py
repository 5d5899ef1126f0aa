"""How a pass over the shards ended: the counts, and after the demonstration what came out of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer
from rich.table import Table

from resources.annotation.declaration import Role
from vidcap_assets.cli.job_run import JobResult
from vidcap_assets.cli.output import console, print_result, typed
from vidcap_assets.cli.status import show_coverage
from vidcap_assets.cli.warehouse import query
from vidcap_assets.collection.settings import CollectionSettings

_UNREADABLE = "SELECT path, probe_error FROM captioned_videos WHERE probe_error IS NOT NULL ORDER BY path"
_EXAMPLES = 3
_GALLERY = {"report --open": "a gallery of these clips with what every captioner said"}
_AFTER = _GALLERY | {
    "export": "the training set as Parquet, CSV and tars; --for NAME for a training tool",
    "status": "what is done, what failed and why",
}
_AFTER_DEMO = _GALLERY | {
    "ui": "the asset graph, partitions and logs",
    "init --source FOLDER": "a collection file for clips of your own",
}


def conclude(
    settings: CollectionSettings,
    results: Sequence[JobResult],
    context: typer.Context,
    demo_s: float | None = None,
) -> None:
    """Say how it ended; exit code 1 where not everything is done.

    Args:
        context: of the command, whose options the next ones need too.
        demo_s: the run was over the demonstration clips, and took so many seconds.
    """
    success = all(result.success for result in results)
    print_result({"success": success, "runs": results})
    if not success:
        console.print(
            "[red]✗[/red] not everything is done; what is there is kept, the same command goes on from there"
        )
        raise typer.Exit(1)
    if console.quiet:
        return
    show_coverage()
    unreadable = query(_UNREADABLE)
    if demo_s is not None:
        _show_demo(settings, context, demo_s, unreadable)
        return
    if unreadable:
        console.print(
            f"[yellow]![/yellow] {len(unreadable)} of the files cannot be read and were skipped; why: "
            + typed("status", context),
            soft_wrap=True,
        )
    _next("[green]✓[/green] done\n\n", _AFTER, context)


def _show_demo(
    settings: CollectionSettings, context: typer.Context, seconds: float, unreadable: list[dict[str, Any]]
) -> None:
    said = (one for one in settings.declared if one.role in (Role.LABEL, Role.TAGS))
    found = [column.name for one in said for column in one.columns]
    rows = query(
        f"SELECT {', '.join(['path', 'text', *found])} FROM captioned_videos WHERE text IS NOT NULL AND kind = 'video' "
        f"ORDER BY md5(parse_filename(path)), path LIMIT {_EXAMPLES}"
    )
    table = Table("path", "text", *found, title="Three of the rows")
    for row in rows:
        table.add_row(_short(row.pop("path")), *map(_cell, row.values()))
    console.print(table)
    if unreadable:
        table = Table("file", "why there is no caption", title="Files that cannot be read keep their rows")
        for row in unreadable:
            table.add_row(_short(row["path"]), row["probe_error"])
        console.print(table)
    _next(
        f"[green]✓[/green] done in {seconds:.0f} s\n"
        f"Database: {settings.warehouse_block.uri}\n"
        f"Lake:     {settings.home}/lake (Parquet, one file for each asset and shard)\n\n",
        _AFTER_DEMO,
        context,
    )


def _next(before: str, lines: Mapping[str, str], context: typer.Context) -> None:
    meant = {typed(line, None if line.startswith("init") else context): said for line, said in lines.items()}
    width = max(map(len, meant))
    console.print(
        f"{before}Next:",
        *(f"\n  {line:<{width}}  {meaning}" for line, meaning in meant.items()),
        sep="",
        soft_wrap=True,
        highlight=False,
    )


def _short(path: str) -> str:
    return "/".join(path.split("/")[-2:])


def _cell(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value or "")
