"""How a pass over the shards ended: the counts, and after the demonstration what came out of it."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from resources.annotation.declaration import Role
from vidcap_assets.cli.job_run import JobResult
from vidcap_assets.cli.output import console, print_result
from vidcap_assets.cli.status import show_coverage
from vidcap_assets.cli.warehouse import query
from vidcap_assets.collection.settings import CollectionSettings

_UNREADABLE = "SELECT path, probe_error FROM captioned_videos WHERE probe_error IS NOT NULL ORDER BY path"
_EXAMPLES = 3


@dataclass(frozen=True)
class Demo:
    """A run over the demonstration clips: how long it took, and the options of ``vidcap`` itself it was given."""

    seconds: float
    options: Mapping[str, Any]


def conclude(settings: CollectionSettings, results: Sequence[JobResult], demo: Demo | None = None) -> None:
    """Say how it ended; exit code 1 where not everything is done.

    Args:
        demo: the run was over the demonstration clips.
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
    if demo is not None:
        _show_demo(settings, demo, unreadable)
        return
    if unreadable:
        console.print(
            f"[yellow]![/yellow] {len(unreadable)} of the files cannot be read and were skipped; why: vidcap status"
        )
    console.print("[green]✓[/green] done. Next: vidcap report, vidcap export, vidcap status")


def _show_demo(settings: CollectionSettings, demo: Demo, unreadable: list[dict[str, Any]]) -> None:
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
    lines = {
        _command("report --open", demo.options): "a gallery of these clips with what every captioner said",
        _command("ui", demo.options): "the asset graph, partitions and logs",
        _command("init --source FOLDER", {}): "a collection file for clips of your own",
    }
    width = max(map(len, lines))
    console.print(
        f"[green]✓[/green] done in {demo.seconds:.0f} s\n"
        f"Database: {settings.warehouse_block.uri}\n"
        f"Lake:     {settings.home}/lake (Parquet, one file for each asset and shard)\n\nNext:",
        *(f"\n  {line:<{width}}  {meaning}" for line, meaning in lines.items()),
        sep="",
        soft_wrap=True,
        highlight=False,
    )


def _command(line: str, options: Mapping[str, Any]) -> str:
    """A command as it works when it is typed here, with these options of ``vidcap`` itself."""
    program = Path(sys.executable).with_name("vidcap")
    if (found := shutil.which("vidcap")) and Path(found).resolve() == program.resolve():
        program = Path("vidcap")
    elif program.is_relative_to(Path.cwd()):
        program = program.relative_to(Path.cwd())
    given = [f"--{name} {options[name]}" for name in ("config", "home") if options.get(name)]
    return " ".join([str(program), *given, line])


def _short(path: str) -> str:
    return "/".join(path.split("/")[-2:])


def _cell(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value or "")
