"""``vidcap doctor``: is everything there that a run will need?"""

import importlib
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from resources.video import available_cores
from vidcap_assets.assets.policies import GPU_POOL
from vidcap_assets.cli.in_force import collection
from vidcap_assets.cli.output import Json, console, print_json
from vidcap_assets.collection.settings import CollectionSettings

_LITTLE_SPACE_GIB = 5.0
_NO_SPACE_GIB = 0.5
_GIB = 1024**3
_LOCK_PATIENCE_S = 1.0
_SIGNS = {"ok": "[green]✓[/green]", "note": "[yellow]![/yellow]", "bad": "[red]✗[/red]"}


class Level(StrEnum):
    """``note``: matters only if you use the feature; ``bad`` makes runs fail."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"


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
    findings = [finding for check in CHECKS for finding in check(settings)]
    healthy = all(finding.level is not Level.BAD for finding in findings)
    if as_json:
        print_json({"healthy": healthy, "findings": [asdict(finding) for finding in findings]})
    else:
        table = Table.grid(padding=(0, 2))
        for finding in findings:
            remedy = f"\n→ {finding.remedy}" if finding.remedy else ""
            table.add_row(_SIGNS[finding.level], finding.what, escape(f"{finding.found}{remedy}"))
        console.print(table)
    if not healthy:
        raise typer.Exit(1)


def check_python(settings: CollectionSettings) -> list[Finding]:
    """The interpreter."""
    return [Finding("python", Level.OK, f"{sys.version.split()[0]} in {sys.prefix}")]


def check_decoders(settings: CollectionSettings) -> list[Finding]:
    """PyAV and OpenCV are needed; decord is a faster second for some files."""
    findings = []
    for module, package, needed in (
        ("av", "av", True),
        ("cv2", "opencv-python-headless", True),
        ("decord", "decord", False),
    ):
        try:
            version = getattr(importlib.import_module(module), "__version__", "")
            findings.append(Finding("decoder", Level.OK, f"{module} {version}"))
        except (ImportError, OSError, RuntimeError) as error:
            findings.append(
                Finding(
                    "decoder",
                    Level.BAD if needed else Level.NOTE,
                    f"{module} cannot be imported: {error}",
                    f"pip install {package}" if needed else "not needed; PyAV reads everything",
                )
            )
    return findings


def check_devices(settings: CollectionSettings) -> list[Finding]:
    """What the models will run on."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return [Finding("device", Level.BAD, f"torch cannot be imported: {error}", "pip install torch")]
    if torch.cuda.is_available():
        return [_gpu(number) for number in range(torch.cuda.device_count())]
    cores = available_cores()
    return [
        Finding(
            "device",
            Level.NOTE,
            f"torch {torch.__version__} sees no GPU; {cores} CPU cores",
            "fine for the embedded models; the full-size ones want a GPU",
        )
    ]


def check_annotators(settings: CollectionSettings) -> list[Finding]:
    """What each annotator of the collection lacks, and whether the model that it names is there."""
    findings = [
        Finding(f"annotator {name}", Level.NOTE, "left out", sentence)
        for name, sentence in settings.left_out.items()
    ]
    for entry in settings.working:
        what = f"annotator {entry.name}"
        model = getattr(entry, "model", None)
        served = getattr(entry, "base_url", None) or getattr(entry, "serve", None)
        if entry.uses_demo_model:
            found = "a demonstration model: it knows the demo clips and nothing else"
            findings.append(Finding(what, Level.NOTE, found, "name a model for clips of your own"))
        elif model is None or served or entry.pool != GPU_POOL:
            findings.append(
                Finding(what, Level.OK, f"{model} at {served}" if served else model or entry.kind)
            )
        elif Path(model).expanduser().is_dir():
            findings.append(
                Finding(what, Level.OK, model)
                if (Path(model).expanduser() / "config.json").exists()
                else Finding(
                    what, Level.BAD, f"{model} has no config.json", "name the folder of the checkpoint itself"
                )
            )
        elif model.startswith(("/", ".", "~")):
            findings.append(Finding(what, Level.BAD, f"there is no folder {model}", "correct its model"))
        else:
            findings.append(_hub_model(what, model))
    return findings


def check_home(settings: CollectionSettings) -> list[Finding]:
    """Can the home be written, and is there room?"""
    home = settings.home
    if "://" in home:
        return [Finding("home", Level.NOTE, f"{home} is on an object store", "not checked from here")]
    try:
        Path(home).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        return [
            Finding(
                "home",
                Level.BAD,
                f"{home} cannot be written: {error}",
                "name another home (in the collection file, or VIDCAP_HOME)",
            )
        ]
    free = shutil.disk_usage(home).free / _GIB
    found = f"{home}, {free:.1f} GiB free"
    if free < _NO_SPACE_GIB:
        return [Finding("home", Level.BAD, found, "make room, or name a home on another disk")]
    if free < _LITTLE_SPACE_GIB:
        return [Finding("home", Level.NOTE, found, "enough for a small collection")]
    return [Finding("home", Level.OK, found)]


def check_warehouse(settings: CollectionSettings) -> list[Finding]:
    """Can the database be opened, or does another process hold it?"""
    import duckdb

    from resources.warehouse import Warehouse, WarehouseBusyError

    uri = settings.warehouse_block.uri
    if ":" not in uri and not Path(uri).exists():
        return [Finding("warehouse", Level.OK, f"{uri} will be made by the first run")]
    try:
        with Warehouse(uri, lock_timeout_s=_LOCK_PATIENCE_S, log=_say_nothing).connect(
            read_only=True
        ) as connection:
            row = connection.execute(
                "SELECT coalesce(sum(estimated_size), 0) FROM duckdb_tables() WHERE table_name = 'captioned_videos'"
            ).fetchone()
    except WarehouseBusyError as error:
        return [
            Finding(
                "warehouse",
                Level.NOTE,
                str(error),
                "runs wait for it; close the other process if they should not",
            )
        ]
    except duckdb.Error as error:
        return [
            Finding(
                "warehouse",
                Level.BAD,
                f"{uri}: {error}",
                "vidcap rebuild; the lake has everything",
            )
        ]
    return [Finding("warehouse", Level.OK, f"{uri}, about {row[0] if row else 0} clips")]


def check_source(settings: CollectionSettings) -> list[Finding]:
    """Is there something to caption?"""
    from resources.source.source import SourceError, read_source

    source = settings.source.uri
    if settings.is_demo:
        return [
            Finding(
                "source",
                Level.OK,
                "the demo clips; name your own in a collection file: vidcap init --source FOLDER",
            )
        ]
    try:
        entries = read_source(source, settings.source.columns)
    except SourceError as error:
        return [
            Finding(
                "source", Level.BAD, str(error), "correct source: in the collection file, or VIDCAP_SOURCE"
            )
        ]
    return [Finding("source", Level.OK, f"{source}: {len(entries)} files")]


CHECKS: tuple[Callable[[CollectionSettings], list[Finding]], ...] = (
    check_python,
    check_decoders,
    check_devices,
    check_annotators,
    check_home,
    check_warehouse,
    check_source,
)


def _gpu(number: int) -> Finding:
    import torch

    free, total = torch.cuda.mem_get_info(number)
    name = torch.cuda.get_device_name(number)
    return Finding(
        "device", Level.OK, f"cuda:{number} {name}, {free / _GIB:.0f} of {total / _GIB:.0f} GiB free"
    )


def _hub_model(what: str, model: str) -> Finding:
    from huggingface_hub import try_to_load_from_cache

    try:
        cached = try_to_load_from_cache(model, "config.json")
    except ValueError as error:
        return Finding(
            what, Level.BAD, f"{model} is neither a folder nor a hub id: {error}", "correct the name"
        )
    if isinstance(cached, str):
        return Finding(what, Level.OK, f"{model}, in the local cache of the hub")
    return Finding(
        what, Level.NOTE, f"{model} is not in the local cache", "the first run downloads it from the hub"
    )


def _say_nothing(line: str) -> None:
    pass
