"""The commands of ``vidcap``; each lives in the file of its purpose."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from vidcap_assets.cli import doctor, looking, operating, publishing, retrying, running
from vidcap_assets.cli.output import errors
from vidcap_assets.collection import environment

_INTERRUPTED = 130


class Commands(TyperGroup):
    """All commands end alike when they are interrupted."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            errors.print("interrupted; everything finished is kept, the same command goes on from there")
            raise typer.Exit(_INTERRUPTED) from None


app = typer.Typer(
    cls=Commands,
    name="vidcap",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Caption videos and images, look at what came out, and make a training set of it.\n\n"
    "Every command takes `--json`. Exit codes: 0 done, 1 something failed, 2 wrong usage, 130 interrupted.",
)


@app.callback()
def main(
    home: Annotated[
        Path | None,
        typer.Option(
            help="Where everything is kept; default: $VIDCAP_HOME, else ./data.", show_default=False
        ),
    ] = None,
) -> None:
    """Settings that hold for every command."""
    if home is not None:
        os.environ["VIDCAP_HOME"] = str(home.absolute())
    if Path(environment.home()).is_file():
        raise typer.BadParameter(f"{environment.home()} is a file; the home must be a folder")


app.command()(running.run)
app.command()(looking.status)
app.command()(retrying.retry)
app.command()(looking.compare)
app.command()(publishing.export)
app.command()(publishing.report)
app.command()(operating.rebuild)
app.command()(operating.reap)
app.command()(doctor.doctor)
app.command()(running.ui)
