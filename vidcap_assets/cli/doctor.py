"""``vidcap doctor``: is everything there that a run will need?"""

import importlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from resources.annotation.declaration import AnnotatorSettings
from resources.engine.settings import ServedModel
from resources.video import available_cores
from vidcap_assets.automation.reaper import unprotected
from vidcap_assets.cli.in_force import collection
from vidcap_assets.cli.job_run import SETTINGS, instance
from vidcap_assets.cli.output import Json, console, print_result, say
from vidcap_assets.collection.settings import CollectionSettings

_LITTLE_SPACE_GIB = 5.0
_NO_SPACE_GIB = 0.5
_GIB = 1024**3
_MOST_NAMES = 5
_LOCK_PATIENCE_S = 1.0
_GPU_POOL = "gpu"  # of annotators that load their model here


class Level(StrEnum):
    """``note``: matters only if you use the feature; ``bad`` makes runs fail."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"


OK, NOTE, BAD = Level
_SIGNS = {OK: "[green]✓[/green]", NOTE: "[yellow]![/yellow]", BAD: "[red]✗[/red]"}


@dataclass(frozen=True)
class Finding:
    """What one check found, and what to do about it."""

    what: str
    level: Level
    found: str
    remedy: str = ""


def doctor(as_json: Json = False) -> None:
    """Check decoders, annotators, devices, disk, lock and source, and say how to mend what is wrong."""
    settings = collection()
    findings = [Finding("python", OK, f"{sys.version.split()[0]} in {sys.prefix}"), *check_decoders()]
    findings += [*check_devices(), *check_history()]
    for check in (check_annotators, check_home, check_warehouse, check_source):
        findings += check(settings)
    healthy = all(finding.level is not BAD for finding in findings)
    print_result({"healthy": healthy, "findings": findings})
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        remedy = f"\n→ {finding.remedy}" if finding.remedy else ""
        table.add_row(_SIGNS[finding.level], finding.what, escape(f"{finding.found}{remedy}"))
    console.print(table)
    if not healthy:
        raise typer.Exit(1)


def check_decoders() -> Iterator[Finding]:
    """PyAV and OpenCV are needed; decord is a faster second for some files."""
    for module, level in {"av": BAD, "cv2": BAD, "decord": NOTE}.items():
        try:
            version = getattr(importlib.import_module(module), "__version__", "")
            yield Finding("decoder", OK, f"{module} {version}")
        except (ImportError, OSError, RuntimeError) as error:
            yield Finding("decoder", level, f"{module} cannot be imported: {error}", "make install")


def check_devices() -> Iterator[Finding]:
    """What the models will run on."""
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding("device", BAD, f"torch cannot be imported: {error}", "pip install torch")
        return
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free, total = (size / _GIB for size in torch.cuda.mem_get_info(number))
        name = torch.cuda.get_device_name(number)
        yield Finding("device", OK, f"cuda:{number} {name}, {free:.0f} of {total:.0f} GiB free")
    if not torch.cuda.is_available():
        found = f"torch {torch.__version__} sees no GPU; {available_cores()} CPU cores"
        yield Finding("device", NOTE, found, "fine for the embedded models; the full-size ones want a GPU")


def check_history() -> Iterator[Finding]:
    """Do Dagster's own settings protect what runs here?"""
    with instance() as history:
        lacking = unprotected(history)
        for sentence in lacking:
            yield Finding("Dagster", NOTE, sentence, f"add what {SETTINGS} says to the dagster.yaml in force")
        if not lacking:
            yield Finding("Dagster", OK, f"history in {history.root_directory}")


def check_annotators(settings: CollectionSettings) -> Iterator[Finding]:
    """What each annotator of the collection lacks, and whether the model that it names is there."""
    for name, sentence in settings.left_out.items():
        yield Finding(f"annotator {name}", NOTE, "left out", sentence)
    for entry in settings.working:
        yield _model(f"annotator {entry.name}", entry)


def _model(what: str, entry: AnnotatorSettings) -> Finding:
    model = getattr(entry, "model", None)
    served = getattr(entry, "serve", None)
    if entry.uses_demo_model:
        found = "a demonstration model: it knows the demo clips and nothing else"
        return Finding(what, NOTE, found, "name a model for clips of your own")
    if base_url := getattr(entry, "base_url", None):
        return _at_server(what, str(model), base_url, entry)
    if model is None or served or entry.pool != _GPU_POOL:
        return Finding(what, OK, f"{model} by {served}" if served else model or entry.kind)
    folder = Path(model).expanduser()
    if (folder / "config.json").exists():
        return Finding(what, OK, model)
    if folder.is_dir():
        return Finding(what, BAD, f"{model} has no config.json", "name the folder of the checkpoint itself")
    if model.startswith(("/", ".", "~")):
        return Finding(what, BAD, f"there is no folder {model}", "correct its model")
    from huggingface_hub import try_to_load_from_cache

    try:
        cached = try_to_load_from_cache(model, "config.json")
    except ValueError as error:
        return Finding(what, BAD, f"{model} is neither a folder nor a hub id: {error}", "correct the name")
    if isinstance(cached, str):
        return Finding(what, OK, f"{model}, in the local cache of the hub")
    return Finding(
        what, NOTE, f"{model} is not in the local cache", "the first run downloads it from the hub"
    )


def _at_server(what: str, model: str, base_url: str, entry: AnnotatorSettings) -> Finding:
    """What the server says that it serves."""
    from resources.engine.server import served_models

    key = entry.api_key.value() if isinstance(entry, ServedModel) else None
    names = served_models(base_url, key or "")
    if names is None:
        return Finding(
            what, BAD, f"nobody answers at {base_url}/models", "start the server, or correct base_url"
        )
    if names and model not in names:
        remedy = f"set model to one of: {', '.join(names[:_MOST_NAMES])}"
        return Finding(what, BAD, f"{base_url} does not serve {model}", remedy)
    return Finding(what, OK, f"{model} at {base_url}")


def check_home(settings: CollectionSettings) -> Iterator[Finding]:
    """Can the home be written, and is there room?"""
    home = settings.home
    if "://" in home:
        yield Finding("home", NOTE, f"{home} is on an object store", "not checked from here")
        return
    try:
        Path(home).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        remedy = "name another home (in the collection file, or VIDCAP_HOME)"
        yield Finding("home", BAD, f"{home} cannot be written: {error}", remedy)
        return
    free = shutil.disk_usage(home).free / _GIB
    found = f"{home}, {free:.1f} GiB free"
    if free < _NO_SPACE_GIB:
        yield Finding("home", BAD, found, "make room, or name a home on another disk")
    elif free < _LITTLE_SPACE_GIB:
        yield Finding("home", NOTE, found, "enough for a small collection")
    else:
        yield Finding("home", OK, found)


def check_warehouse(settings: CollectionSettings) -> Iterator[Finding]:
    """Can the database be opened, or does another process hold it?"""
    import duckdb

    from resources.warehouse import Warehouse, WarehouseBusyError

    uri = settings.warehouse_block.uri
    if not Path(uri).exists():
        yield Finding("warehouse", OK, f"{uri} will be made by the first run")
        return
    warehouse = Warehouse(uri, lock_timeout_s=_LOCK_PATIENCE_S, log=say)
    try:
        with warehouse.connect(read_only=True) as connection:
            [clips] = connection.execute(
                "SELECT coalesce(sum(estimated_size), 0) FROM duckdb_tables() WHERE table_name = 'captioned_videos'"
            ).fetchone() or [0]
    except WarehouseBusyError as error:
        remedy = "runs wait for it; close the other process if they should not"
        yield Finding("warehouse", NOTE, str(error), remedy)
    except duckdb.Error as error:
        yield Finding("warehouse", BAD, f"{uri}: {error}", "vidcap rebuild; the lake has everything")
    else:
        yield Finding("warehouse", OK, f"{uri}, about {clips} clips")


def check_source(settings: CollectionSettings) -> Iterator[Finding]:
    """Is there something to caption?"""
    from resources.source.source import SourceError, survey

    source = settings.source.uri
    if settings.is_demo:
        found = "the demo clips; name your own in a collection file: vidcap init --source FOLDER"
        yield Finding("source", OK, found)
        return
    try:
        yield Finding("source", OK, f"{source}: {len(survey(source, settings.source.columns).entries)} files")
    except SourceError as error:
        yield Finding("source", BAD, str(error), "correct source: in the collection file, or VIDCAP_SOURCE")
