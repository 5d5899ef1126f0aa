"""``vidcap export`` and ``vidcap report``: what is made of all that has been merged."""

import json
import webbrowser
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from resources.dataset.export import ExportFormat
from resources.lake.lake import Lake
from vidcap_assets.cli.choosing import assets_named, captions_named
from vidcap_assets.cli.in_force import collection_file
from vidcap_assets.cli.job_run import JobResult, run_job
from vidcap_assets.cli.output import Json, console, fail, is_live, print_result
from vidcap_assets.collection.settings import CollectionSettings


def export(
    context: typer.Context,
    fmin: Annotated[int | None, typer.Option(help="Fewest frames.")] = None,
    fmax: Annotated[int | None, typer.Option(help="Most frames.")] = None,
    min_resolution: Annotated[int | None, typer.Option(help="Fewest pixels (height × width).")] = None,
    max_resolution: Annotated[int | None, typer.Option(help="Most pixels (height × width).")] = None,
    min_duration_s: Annotated[float | None, typer.Option(help="Shortest clip in seconds.")] = None,
    max_duration_s: Annotated[float | None, typer.Option(help="Longest clip in seconds.")] = None,
    min_text_len: Annotated[int | None, typer.Option(help="Fewest words.")] = None,
    max_text_len: Annotated[int | None, typer.Option(help="Most words.")] = None,
    captioners: Annotated[
        list[str] | None,
        typer.Option(
            "--captioner", help="Text only from this captioner (its name in the file, or `source`)."
        ),
    ] = None,
    required: Annotated[list[str] | None, typer.Option(help="This annotator must have succeeded.")] = None,
    camera_motion: Annotated[list[str] | None, typer.Option(help="Only clips with this label.")] = None,
    languages: Annotated[
        list[str] | None, typer.Option("--language", help="Only texts in this language (en, de, …).")
    ] = None,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="One clip of the same content.")
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
    config = {
        name: said
        for name, said in context.params.items()
        if said not in (None, [], ()) and said is not False and name != "as_json"
    }
    if captioners:
        config["captioners"] = captions_named(settings, captioners)
    if required:
        config["required"] = assets_named(settings, required)
    result = _publish(settings, {"training_set": config})
    folder = Path(str(Lake(settings.home).folder("exports") / "training_set"))
    record = json.loads((folder / "export.json").read_text())
    print_result({**asdict(result), "folder": folder, **record})
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
    result = _publish(settings, {"caption_gallery": {"max_clips": max_clips}, "category_distribution": {}})
    reports = Path(str(Lake(settings.home).folder("reports")))
    page, distribution = reports / "gallery" / "index.html", reports / "distribution"
    print_result({**asdict(result), "gallery": page, "distribution": distribution})
    console.print(
        f"[green]✓[/green] gallery:      {page.as_uri()}\n  distribution: {escape(str(distribution))}",
        soft_wrap=True,
    )
    if open_page:
        webbrowser.open(page.as_uri())


def _publish(settings: CollectionSettings, steps: dict[str, dict[str, Any]]) -> JobResult:
    configured = {settings.op(asset): {"config": config} for asset, config in steps.items() if config}
    with console.status("reading the warehouse …") if is_live(console) else nullcontext():
        result = run_job("publish_dataset", steps=[*map(settings.op, steps)], config={"ops": configured})
    if not result.success:
        reason = next(iter(result.failures.values()), f"the run failed; its log: {result.log}")
        fail(reason, runs=[result])
    return result
