"""The commands of ``vidcap``; each lives in the file of its purpose."""

import errno
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from resources.errors import VidcapError
from vidcap_assets.cli.compare import compare
from vidcap_assets.cli.config import config, init
from vidcap_assets.cli.doctor import doctor
from vidcap_assets.cli.in_force import collection_file
from vidcap_assets.cli.listing import make_list
from vidcap_assets.cli.output import errors, fail
from vidcap_assets.cli.publish import export, report
from vidcap_assets.cli.retry import retry
from vidcap_assets.cli.run import run
from vidcap_assets.cli.status import status
from vidcap_assets.cli.ui import ui
from vidcap_assets.cli.upkeep import reap, rebuild, shards
from vidcap_assets.collection.file import VARIABLE, files_in_force
from vidcap_assets.collection.settings import CollectionError

_WRONG_USAGE, _INTERRUPTED = 2, 130
_REFUSED = {errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EACCES}


class Commands(TyperGroup):
    """All commands end alike: interrupted, with what a person can act on, or with a disk that refuses."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except CollectionError as error:
            errors.print(str(error), style="red", markup=False, soft_wrap=True)
            raise typer.Exit(_WRONG_USAGE) from None
        except VidcapError as error:
            fail(str(error))
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            fail(f"{error.filename or 'the disk'}: {error.strerror}; everything finished is kept")
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
    config: Annotated[
        Path | None,
        typer.Option(
            help="The collection file; default: $VIDCAP_CONFIG, ./vidcap.yaml, $VIDCAP_HOME/vidcap.yaml, "
            "else the settings of the environment variables.",
            show_default=False,
        ),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(
            help="Where everything is kept, if the collection file does not say it; default: $VIDCAP_HOME, "
            "else ./data.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Settings that hold for every command."""
    if config is not None:
        os.environ[VARIABLE] = str(config.absolute())
        files_in_force()
    if home is not None:
        os.environ["VIDCAP_HOME"] = str(home.absolute())
        file = collection_file()
        if file.settings.home != os.environ["VIDCAP_HOME"]:
            raise file.fault(["home"], f"the home is {file.settings.home}; leave --home out, or the setting")


app.command("list")(make_list)
app.add_typer(shards, name="shards")
for command in (init, config, run, status, retry, compare, export, report, rebuild, reap, doctor, ui):
    app.command()(command)
