"""The command that makes lists: of a folder, of another list, or of what has been captioned."""

import json
import os
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from vidcap_assets.cli.output import Json, print_result, tell

_FLOAT_BOUNDS = "COLUMN=NUMBER; can be given more than once."


class TextFile(StrEnum):
    """What stands beside a clip with its caption."""

    TXT = "txt"
    JSON = "json"


def make_list(
    source: Annotated[str, typer.Argument(help="A folder, a list, or the home of a collection.")],
    out: Annotated[Path, typer.Option(help="The list to write: .csv, .tsv, .json, .jsonl or .parquet.")],
    info: Annotated[bool, typer.Option("--info", help="Measure the files: frames, size, fps.")] = False,
    fmin: Annotated[int | None, typer.Option(help="Fewest frames.")] = None,
    fmax: Annotated[int | None, typer.Option(help="Most frames.")] = None,
    fpsmax: Annotated[float | None, typer.Option(help="Most frames a second; images pass.")] = None,
    min_resolution: Annotated[int | None, typer.Option(help="Fewest pixels (height × width).")] = None,
    max_resolution: Annotated[int | None, typer.Option(help="Most pixels (height × width).")] = None,
    least: Annotated[list[str] | None, typer.Option("--min", help=f"At least; {_FLOAT_BOUNDS}")] = None,
    most: Annotated[list[str] | None, typer.Option("--max", help=f"At most; {_FLOAT_BOUNDS}")] = None,
    img_only: Annotated[bool, typer.Option("--img-only", help="Only images.")] = False,
    vid_only: Annotated[bool, typer.Option("--vid-only", help="Only videos.")] = False,
    difference: Annotated[Path | None, typer.Option(help="Without the files of this list.")] = None,
    intersection: Annotated[Path | None, typer.Option(help="Only the files of this list, too.")] = None,
    sort: Annotated[str | None, typer.Option(help="By this column, the greatest first.")] = None,
    sort_ascending: Annotated[str | None, typer.Option(help="By this column, the smallest first.")] = None,
    shuffle: Annotated[bool, typer.Option("--shuffle", help="In an order by chance.")] = False,
    seed: Annotated[int, typer.Option(help="Which order by chance.")] = 0,
    head: Annotated[int | None, typer.Option(min=0, help="Only the first rows.")] = None,
    load_caption: Annotated[TextFile | None, typer.Option(help="Text from the file beside a clip.")] = None,
    clean_caption: Annotated[
        bool, typer.Option("--clean-caption", help="Take addresses and markup out of the text.")
    ] = False,
    append_text: Annotated[str | None, typer.Option(help="Put this at the end of the text.")] = None,
    score_to_text: Annotated[
        bool, typer.Option("--score-to-text", help="Say the scores aes and flow in the text.")
    ] = False,
    relpath: Annotated[Path | None, typer.Option(help="Paths relative to this folder.")] = None,
    abspath: Annotated[
        bool, typer.Option("--abspath", help="Absolute paths; they are so by default.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a list of a folder, of another list or of a captioned collection, filtered and in an order of choice."""
    from resources.dataset.listing import (
        Choice,
        choose,
        collection_rows,
        listed_rows,
        reword,
        write,
    )
    from resources.warehouse import Warehouse

    for one, other, names in (
        (img_only, vid_only, "--img-only and --vid-only"),
        (sort is not None, sort_ascending is not None, "--sort and --sort-ascending"),
        (relpath is not None, abspath, "--relpath and --abspath"),
    ):
        if one and other:
            raise typer.BadParameter(f"{names} exclude each other")
    choice = Choice(
        {"num_frames": fmin, "resolution": min_resolution, **_bounds(least)},
        {"num_frames": fmax, "fps": fpsmax, "resolution": max_resolution, **_bounds(most)},
        kind="image" if img_only else "video" if vid_only else None,
        without=_paths(difference),
        only=_paths(intersection),
        sort=sort if sort is not None else sort_ascending,
        descending=sort is not None,
        shuffle=shuffle,
        seed=seed,
        head=head,
    )
    home = Path(source) / "vidcap.duckdb"
    if home.is_file():
        if info or load_caption:
            raise typer.BadParameter("--info and --load-caption are for folders and lists: a home has both")
        rows = collection_rows(Warehouse(str(home), lock_timeout_s=20.0))
    else:
        rows = listed_rows(_rows(source, info, load_caption))
    with rows as connection:
        choose(connection, choice)
        reword(connection, clean=clean_caption, append=append_text, scores=score_to_text)
        if relpath is not None:
            connection.create_function(
                "relative", lambda path: os.path.relpath(path, relpath), ["VARCHAR"], "VARCHAR"
            )
            connection.execute("UPDATE chosen SET path = relative(path)")
        written = write(connection, out)
    print_result({"rows": written, "out": out})
    tell(f"{written} rows in {out}", markup=False)


def _rows(source: str, info: bool, load_caption: TextFile | None) -> Sequence[Mapping[str, object]]:
    from resources.source.source import read_source, text_beside

    entries = read_source(source)
    measured = _measured([(entry.path, entry.kind) for entry in entries]) if info else [{} for _ in entries]
    rows = []
    for entry, measures in zip(entries, measured, strict=True):
        text = text_beside(entry.path, f".{load_caption}") if load_caption else entry.text
        known = {"path": str(entry.path), "id": entry.id, "text": text, "kind": str(entry.kind)}
        extra = {
            f"source_{name}" if name in known else name: value
            if not isinstance(value, (list, dict))
            else json.dumps(value)
            for name, value in json.loads(entry.extra or "{}").items()
        }
        rows.append({**known, **extra, **measures})
    return rows


def _measured(files: Sequence[tuple[Path, Any]]) -> list[dict[str, object]]:
    """What the headers say; a file that cannot be read has ``probe_error`` in place of it."""
    from resources.annotation.outcome import ClipError
    from resources.video import IsolatedWorkers, available_cores
    from resources.video.probe import probe_many

    names = ("num_frames", "height", "width", "aspect_ratio", "fps", "resolution")
    with IsolatedWorkers(available_cores(), 120.0) as workers:
        return [
            {"probe_error": str(probe)}
            if isinstance(probe, ClipError)
            else {name: getattr(probe, name) for name in names}
            for probe in probe_many(list(files), workers)
        ]


def _bounds(given: list[str] | None) -> dict[str, float]:
    bounds = {}
    for item in given or []:
        name, separator, number = item.rpartition("=")
        try:
            bounds[name] = float(number)
        except ValueError:
            separator = ""
        if not separator:
            raise typer.BadParameter(f"{item!r}: expected COLUMN=NUMBER, such as aes=5")
    return bounds


def _paths(listing: Path | None) -> list[str] | None:
    from resources.source.source import read_source

    return None if listing is None else [str(entry.path) for entry in read_source(listing)]
