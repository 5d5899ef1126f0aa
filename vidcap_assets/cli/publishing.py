"""Commands that make something of what has been merged."""

import json
import webbrowser
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from resources.dataset.export import ExportFormat
from resources.lake.lake import Lake
from vidcap_assets.cli.choosing import assets_named, captions_named
from vidcap_assets.cli.in_force import collection_file
from vidcap_assets.cli.job_run import JobResult, run_job
from vidcap_assets.cli.output import Json, console, fail, is_live, print_json
from vidcap_assets.collection.settings import CollectionSettings


def export(
    fmin: Annotated[int | None, typer.Option(help="Fewest frames.")] = None,
    fmax: Annotated[int | None, typer.Option(help="Most frames.")] = None,
    min_resolution: Annotated[int | None, typer.Option(help="Fewest pixels (height × width).")] = None,
    max_resolution: Annotated[int | None, typer.Option(help="Most pixels (height × width).")] = None,
    min_duration_s: Annotated[float | None, typer.Option(help="Shortest clip in seconds.")] = None,
    max_duration_s: Annotated[float | None, typer.Option(help="Longest clip in seconds.")] = None,
    min_text_len: Annotated[int | None, typer.Option(help="Fewest words.")] = None,
    max_text_len: Annotated[int | None, typer.Option(help="Most words.")] = None,
    captioner: Annotated[
        list[str] | None,
        typer.Option(help="Text only from this captioner (its name in the file, or `source`)."),
    ] = None,
    required: Annotated[list[str] | None, typer.Option(help="This annotator must have succeeded.")] = None,
    camera_motion: Annotated[list[str] | None, typer.Option(help="Only clips with this label.")] = None,
    language: Annotated[
        list[str] | None, typer.Option(help="Only texts in this language (en, de, …).")
    ] = None,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="One clip of the same content.")
    ] = False,
    drop_near_duplicates: Annotated[
        bool,
        typer.Option(
            "--no-near-duplicates",
            help="One clip of those that show the same: coded again, resized, cropped, …",
        ),
    ] = False,
    formats: Annotated[
        list[ExportFormat] | None,
        typer.Option("--format", help="Besides Parquet; default: all. Can be given more than once."),
    ] = None,
    media: Annotated[bool, typer.Option("--media", help="Put the files themselves into the tars.")] = False,
    as_json: Json = False,
) -> None:
    """Write the training set: Parquet with a data card, CSV, Open-Sora's files, WebDataset tars."""
    settings = collection_file(pin=True).settings
    chosen: dict[str, Any] = {
        "fmin": fmin,
        "fmax": fmax,
        "min_resolution": min_resolution,
        "max_resolution": max_resolution,
        "min_duration_s": min_duration_s,
        "max_duration_s": max_duration_s,
        "min_text_len": min_text_len,
        "max_text_len": max_text_len,
        "captioners": captions_named(settings, captioner) if captioner else None,
        "required": assets_named(settings, required) if required else None,
        "camera_motion": camera_motion,
        "languages": language,
        "drop_duplicates": drop_duplicates or None,
        "drop_near_duplicates": drop_near_duplicates or None,
        "formats": [str(name) for name in formats] if formats else None,
        "media": media or None,
    }
    config = {name: value for name, value in chosen.items() if value is not None}
    result = _publish(settings, {"training_set": config}, as_json)
    folder = Path(str(Lake(settings.home).folder("exports") / "training_set"))
    record = json.loads((folder / "export.json").read_text())
    if as_json:
        print_json({**result.as_json(), "folder": str(folder), **record})
        return
    console.print(
        f"[green]✓[/green] {record['rows']} of {record['clips']} clips in [bold]{escape(str(folder))}[/bold]\n"
        f"content hash {record['content_hash'][:16]}; filters: {escape(json.dumps(record['filters']))}",
        soft_wrap=True,
    )


def report(
    max_clips: Annotated[
        int, typer.Option(min=0, help="Clips in the gallery at most; 0 for every clip.")
    ] = 10_000,
    open_page: Annotated[bool, typer.Option("--open", help="Open the gallery in the browser.")] = False,
    as_json: Json = False,
) -> None:
    """Build the gallery (captions side by side, with frames) and the distribution of categories."""
    settings = collection_file(pin=True).settings
    steps: dict[str, dict[str, Any]] = {
        "caption_gallery": {"max_clips": max_clips},
        "category_distribution": {},
    }
    result = _publish(settings, steps, as_json)
    reports = Path(str(Lake(settings.home).folder("reports")))
    page, distribution = reports / "gallery" / "index.html", reports / "distribution"
    if as_json:
        print_json({**result.as_json(), "gallery": str(page), "distribution": str(distribution)})
    else:
        console.print(
            f"[green]✓[/green] gallery:      {page.as_uri()}\n  distribution: {escape(str(distribution))}",
            soft_wrap=True,
        )
    if open_page:
        webbrowser.open(page.as_uri())


def _publish(settings: CollectionSettings, steps: dict[str, dict[str, Any]], as_json: bool) -> JobResult:
    ops = {settings.key(asset).to_python_identifier(): config for asset, config in steps.items()}
    configured = {"ops": {op: {"config": config} for op, config in ops.items() if config}}
    with console.status("reading the warehouse …") if is_live(console) and not as_json else nullcontext():
        result = run_job("publish_dataset", steps=[*ops], config=configured)
    if not result.success:
        reason = next(iter(result.failures.values()), f"the run failed; its log: {result.log}")
        fail(reason, as_json, runs=[result.as_json()])
    return result
