"""Saying things: to people with colours, to programs as JSON."""

import json
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]

console = Console(highlight=False, soft_wrap=False)
errors = Console(stderr=True, highlight=False)


def is_live(output: Console) -> bool:
    """Can lines be drawn anew there? Colours may be forced into a log file, and a dumb terminal has no cursor."""
    return output.is_interactive and output.file.isatty()


def print_json(content: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(content, indent=1, ensure_ascii=False, default=str))


def say(line: str) -> None:
    """A remark on the way, such as what is being waited for; never mixed with a result."""
    errors.print(line, style="dim", markup=False, soft_wrap=True)


def fail(message: str, as_json: bool, **more: Any) -> NoReturn:
    """Say what is wrong and end with exit code 1."""
    if as_json:
        print_json({"error": message, **more})
    else:
        errors.print(f"[red]✗[/red] {escape(message)}", soft_wrap=True)
    raise typer.Exit(1)
