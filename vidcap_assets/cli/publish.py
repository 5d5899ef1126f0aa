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
from resources.dataset.export_set import Captions, ExportSet, Link
from resources.dataset.filters import ClipFilters
from resources.lake.lake import Lake
from vidcap_assets.cli.annotators import assets_named, captions_named
from vidcap_assets.cli.in_force import collection_file
from vidcap_assets.cli.job_run import JobResult, run_job
from vidcap_assets.cli.output import Json, console, fail, is_live, print_result, say, tell
from vidcap_assets.cli.progress import counted
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
    where: Annotated[str, typer.Option(help="A condition in SQL over the columns of captioned_videos.")] = "",
    preset: Annotated[
        str | None,
        typer.Option("--for", help="The files of a training tool instead: sidecar, huggingface, …"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="With --for: folder below exports; default: the preset's name.")
    ] = None,
    head: Annotated[int | None, typer.Option(min=1, help="With --for: so many clips at most.")] = None,
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="With --for: in an order drawn by --seed.")
    ] = False,
    seed: Annotated[int, typer.Option(help="With --for: seed of --shuffle.")] = 0,
    link: Annotated[
        Link, typer.Option(help="With --for: how the files come into the export.")
    ] = Link.SYMLINK,
    val: Annotated[
        float, typer.Option(min=0, max=0.999, help="With --for: share of the clips for validation.")
    ] = 0.0,
    captions: Annotated[
        Captions, typer.Option(help="With --for: the text of a clip alone, or all its captions.")
    ] = Captions.TEXT,
    as_json: Json = False,
) -> None:
    """Write the training set: Parquet with a data card, CSV, Open-Sora's files, WebDataset tars; or, with --for, the
    files that a training tool reads.
    """
    settings = collection_file(pin=True).settings
    wanted: dict[str, Any] = {
        name: said
        for name in ClipFilters.model_fields
        if (said := context.params.get(name)) not in (None, [], (), "") and said is not False
    }
    if captioners:
        wanted["captioners"] = captions_named(settings, captioners)
    if required:
        wanted["required"] = assets_named(settings, required)
    if preset is not None:
        options = ExportSet.model_validate(
            {"name": name or preset.replace("-", "_"), "preset": preset, "head": head, "shuffle": shuffle,
             "seed": seed, "link": link, "val": val, "captions": captions}
        )  # fmt: skip
        _export_for(settings, options, wanted)
        return
    if formats:
        wanted["formats"] = formats
    result = _publish(settings, {"training_set": {**wanted, "media": media}})
    folder = Path(str(Lake(settings.home).folder("exports") / "training_set"))
    record = json.loads((folder / "export.json").read_text())
    print_result({**asdict(result), "folder": folder, **record})
    tell(
        f"[green]✓[/green] {record['rows']} of {record['clips']} clips in [bold]{escape(str(folder))}[/bold]\n"
        f"content hash {record['content_hash'][:16]}; filters: {escape(json.dumps(record['filters']))}"
    )


def _export_for(settings: CollectionSettings, chosen: ExportSet, filters: dict[str, Any]) -> None:
    from resources.dataset.preset_export import export_preset

    with counted(chosen.name, "clips") as progress:
        made = export_preset(
            settings.warehouse_block.open(say),
            Lake(settings.home).folder("exports"),
            chosen,
            ClipFilters(**filters),
            settings.demo_models,
            progress,
        )
    print_result(made)
    clips = " and ".join(f"{count} clips for {split}" for split, count in made.rows.items())
    left_out = "".join(f"; left out: {count} {reason}" for reason, count in made.left_out.items())
    news = "" if made.written else " (nothing new: what is there was left as it is)"
    tell(
        f"[green]✓[/green] {clips} in [bold]{escape(str(made.folder))}[/bold]{news}{left_out}\n"
        f"how to use it: {escape(str(made.folder / 'USE.md'))}"
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
    tell(f"[green]✓[/green] gallery:      {page.as_uri()}\n  distribution: {escape(str(distribution))}")
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
