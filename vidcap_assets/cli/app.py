"""The commands of ``vidcap``; each lives in the file of its purpose."""

import os
from pathlib import Path
from typing import Annotated

import typer

from vidcap_assets.cli import doctor, looking, operating, publishing, running

app = typer.Typer(
    name="vidcap",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Caption videos and images, look at what came out, and make a training set of it.\n\n"
    "Every command takes `--json`. Exit codes: 0 done, 1 something failed, 2 wrong usage.",
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


app.command()(running.run)
app.command()(looking.status)
app.command()(running.retry)
app.command()(looking.compare)
app.command()(publishing.export)
app.command()(publishing.report)
app.command()(operating.reap)
app.command()(doctor.doctor)
app.command()(operating.reap)
app.command()(running.ui)
