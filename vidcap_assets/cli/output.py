"""Saying things: to people with colours, to programs as JSON."""

import json
import shlex
import shutil
import sys
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

console = Console(highlight=False, soft_wrap=False)
errors = Console(stderr=True, highlight=False)


def _only_json(wanted: bool) -> bool:
    """With ``--json`` the console is silent: the result alone goes to standard output."""
    console.quiet = wanted
    return wanted


Json = Annotated[
    bool,
    typer.Option("--json", callback=_only_json, help="Print the result as JSON and nothing else."),
]


def is_live(output: Console) -> bool:
    """Can lines be drawn anew there? Colours may be forced into a log file, and a dumb terminal has no cursor."""
    return output.is_interactive and output.file.isatty() and not output.quiet


def print_result(content: Any) -> None:
    """What a command has to say to programs: with ``--json`` one document on standard output, else nothing."""
    if console.quiet:
        print(json.dumps(content, indent=1, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


def tell(line: str, **how: Any) -> None:
    """Say it to people; only the terminal itself breaks the line, so that a path in it can be copied."""
    console.print(line, soft_wrap=True, **how)


def say(line: str) -> None:
    """A remark on the way, such as what is being waited for; never mixed with a result."""
    errors.print(line, style="dim", markup=False, soft_wrap=True)


def typed(line: str, given: typer.Context | None = None) -> str:
    """A command of ``vidcap`` as it works when it is typed here, in the home and with the file of the one ``given``."""
    program = Path(sys.executable).with_name("vidcap")
    if (found := shutil.which("vidcap")) and Path(found).resolve() == program.resolve():
        program = Path("vidcap")
    elif program.is_relative_to(Path.cwd()):
        program = program.relative_to(Path.cwd())
    options = given.find_root().params if given else {}
    said = [
        part for name in ("config", "home") if options.get(name) for part in (f"--{name}", str(options[name]))
    ]
    return f"{shlex.join([str(program), *said])} {line}"


def fail(message: str, **more: Any) -> NoReturn:
    """Say what is wrong and end with exit code 1."""
    print_result({"error": message, **more})
    if not console.quiet:
        errors.print(f"[red]✗[/red] {escape(message)}", soft_wrap=True)
    raise typer.Exit(1)
