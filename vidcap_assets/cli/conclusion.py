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
from vidcap_assets.cli.looking import show_coverage
from vidcap_assets.cli.output import console, print_json
from vidcap_assets.cli.reading import query
from vidcap_assets.collection.settings import CollectionSettings

_UNREADABLE = "SELECT path, probe_error FROM captioned_videos WHERE probe_error IS NOT NULL ORDER BY path"
_EXAMPLES = 3


@dataclass(frozen=True)
class Demo:
    """A run over the demonstration clips: how long it took, and the options of ``vidcap`` itself it was given."""

    seconds: float
    options: Mapping[str, Any]


def conclude(
    settings: CollectionSettings,
    results: Sequence[JobResult],
    as_json: bool,
    demo: Demo | None = None,
) -> None:
    """Say how it ended; exit code 1 where not everything is done.

    Args:
        demo: the run was over the demonstration clips.
    """
    success = all(result.success for result in results)
    if as_json:
        print_json({"success": success, "runs": [result.as_json() for result in results]})
    elif not success:
        console.print(
            "[red]✗[/red] not everything is done; what is there is kept, the same command goes on from there"
        )
    else:
        show_coverage()
        if demo is None:
            _tell_unreadable()
            console.print("[green]✓[/green] done. Next: vidcap report, vidcap export, vidcap status")
        else:
            _show_demo(settings, demo)
    if not success:
        raise typer.Exit(1)


def _command(line: str, options: Mapping[str, Any]) -> str:
    """A command as it works when it is typed here, with these options of ``vidcap`` itself."""
    program = Path(sys.executable).with_name("vidcap")
    if (found := shutil.which("vidcap")) and Path(found).resolve() == program.resolve():
        program = Path("vidcap")
    elif program.is_relative_to(Path.cwd()):
        program = program.relative_to(Path.cwd())
    given = [f"--{name} {options[name]}" for name in ("config", "home") if options.get(name)]
    return " ".join([str(program), *given, line])


def _tell_unreadable() -> None:
    """How many files could not be read, if any: no annotator was asked about them."""
    if unreadable := query(_UNREADABLE, as_json=False):
        console.print(
            f"[yellow]![/yellow] {len(unreadable)} of the files cannot be read and were skipped; why: vidcap status"
        )


def _show_demo(settings: CollectionSettings, demo: Demo) -> None:
    found = [
        (column.name, one.role)
        for one in settings.declared
        for column in one.columns
        if one.role in (Role.LABEL, Role.TAGS)
    ]
    names = ["path", "text", *(name for name, _ in found)]
    labels = ", ".join(name for name, role in found if role is Role.LABEL) or "id"
    tags = " + ".join(f"coalesce(len({name}), 0)" for name, role in found if role is Role.TAGS) or "0"
    rows = query(
        f"SELECT {', '.join(names)} FROM captioned_videos WHERE text IS NOT NULL AND kind = 'video' "
        f"QUALIFY row_number() OVER (PARTITION BY {labels} ORDER BY {tags} DESC, path) = 1 "
        f"ORDER BY {tags} DESC, path LIMIT {_EXAMPLES}",
        as_json=False,
    )
    table = Table(*names, title="Three of the rows")
    for row in rows:
        table.add_row(_short(row["path"]), *(_cell(row[name]) for name in names[1:]))
    console.print(table)
    if unreadable := query(_UNREADABLE, as_json=False):
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


def _short(path: str) -> str:
    return "/".join(path.split("/")[-2:])


def _cell(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value or "")
