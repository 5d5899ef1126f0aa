"""The files of the gallery: pictures kept for ever, data in a folder of its own version, one page on top."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from jinja2 import Environment, PackageLoader, StrictUndefined
from upath import UPath

from resources.annotation.clip import Clip, Kind
from resources.annotation.declaration import Role
from resources.dataset.annotators import Listed, annotators, columns_of
from resources.dataset.distribution import distribution
from resources.dataset.gallery.cards import card, index_row, label_counts
from resources.dataset.gallery.sheets import make_sheets
from resources.dataset.plots import draw_plots, title
from resources.dataset.publication import file_digests
from resources.dataset.source_columns import with_source_columns
from resources.dataset.sql import script
from resources.storage.files import write_atomic
from resources.warehouse import Warehouse

if TYPE_CHECKING:
    from resources.video import FrameReader

CARDS_PER_CHUNK = 96
_DATA = "data-"
_SHEETS = "sheets"
_KEPT_VERSIONS = 2


@dataclass(frozen=True)
class Gallery:
    """What was built: the page to open, clips shown and in all, those without a picture."""

    page: UPath
    shown: int
    clips: int
    without_sheet: int


def build_gallery(
    warehouse: Warehouse,
    reports: UPath,
    frames: "FrameReader",
    log: Callable[[str], None],
    *,
    max_clips: int,
    workers: int,
    demo_models: Sequence[str] = (),
) -> Gallery:
    """Build or bring up to date the gallery in ``reports/gallery``; ``index.html`` changes last.

    Contact sheets are made once for each content; the warehouse is closed while they are. A reader of the
    old page keeps its data until the build after this one.

    Args:
        max_clips: clips at most, spread over the collection; 0 for every clip.
        workers: clips that are decoded at a time.
        demo_models: annotators that used a demonstration model on clips that are not the demo's.

    Raises:
        WarehouseEmptyError: nothing has been merged yet.
        WarehouseBusyError: another process kept the database open.
    """
    folder = reports / "gallery"
    plots = draw_plots(distribution(warehouse))
    with tempfile.TemporaryDirectory(prefix="vidcap-gallery-") as temp:
        built = Path(temp)
        with warehouse.snapshot() as connection:
            clips = len(connection.table("captioned_videos"))
            recipes = _recipes(connection)
            listed = annotators(connection)
            rows = _rows(connection, max_clips, listed)
            index, tags, orders = _write_cards(rows, built, listed)
        failed = make_sheets(orders, folder / _SHEETS, frames, workers, log)
        content = {
            "annotators": [one.name for one in listed],
            "cardsPerChunk": CARDS_PER_CHUNK,
            "rows": index,
            "tags": list(tags),
            "labels": label_counts(index),
            "withoutSheet": failed,
            "recipes": recipes,
        }
        (built / "index.js").write_text(_call("vidcapIndex", content))
        (built / "plots").mkdir()
        for facet, png in plots.items():
            (built / "plots" / f"{facet}.png").write_bytes(png)
        digests = file_digests(built)
        data = folder / f"{_DATA}{hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:16]}"
        for name in digests:
            if not (data / name).exists():  # a version never changes
                write_atomic(data / name, (built / name).read_bytes())
    page = folder / "index.html"
    write_atomic(page, _page(data.name, len(index), clips, plots, demo_models).encode())
    _forget_old(folder, data.name)
    log(f"gallery of {len(index)} of {clips} clips: {page}")
    return Gallery(page, len(index), clips, len(failed))


def _rows(
    connection: duckdb.DuckDBPyConnection, max_clips: int, listed: list[Listed]
) -> Iterator[dict[str, Any]]:
    with_source_columns(connection)
    columns = columns_of(listed, Role.LABEL, Role.TAGS, Role.SCORE, Role.STRUCTURED)
    query = script("gallery/clips.sql").replace("{columns}", "".join(f'"{name}", ' for name in columns))
    for batch in connection.execute(query, {"max_clips": max_clips}).to_arrow_reader(1_000):
        yield from batch.to_pylist()


def _write_cards(
    rows: Iterator[dict[str, Any]], built: Path, listed: list[Listed]
) -> tuple[list[list[Any]], dict[str, int], list[Clip]]:
    index: list[list[Any]] = []
    tags: dict[str, int] = {}
    orders: list[Clip] = []
    cards: list[dict[str, Any]] = []

    def flush() -> None:
        number = (len(index) - 1) // CARDS_PER_CHUNK
        (built / f"clips-{number:05d}.js").write_text(_call("vidcapClips", number, cards))
        cards.clear()

    for row in rows:
        index.append(index_row(row, tags, listed))
        cards.append(card(row, listed))
        if row["content_id"] and not row["probe_error"]:
            part = {"start_s": row["start_s"], "end_s": row["end_s"]}
            orders.append(Clip(row["id"], Path(row["path"]), Kind(row["kind"]), row["content_id"], **part))
        if len(cards) == CARDS_PER_CHUNK:
            flush()
    if cards:
        flush()
    return index, tags, orders


def _call(function: str, *arguments: object) -> str:
    """A script that hands over data; a page opened from disk may load scripts, but not read files.

    ASCII only, so that neither the encoding nor JavaScript's own line ends can matter.
    """
    return (
        f"{function}({','.join(json.dumps(one, separators=(',', ':'), default=str) for one in arguments)});\n"
    )


def _page(data: str, shown: int, clips: int, plots: dict[str, bytes], demo_models: Sequence[str]) -> str:
    environment = Environment(
        loader=PackageLoader("resources.dataset", "gallery"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("page.html.jinja").render(
        data=data,
        shown=shown,
        clips=clips,
        plots=[(f"{data}/plots/{facet}.png", title(facet)) for facet in plots],
        demo_models=demo_models,
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _recipes(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    found = connection.execute(
        "SELECT fingerprint, CAST(recipe AS VARCHAR) FROM recipes ORDER BY 1"
    ).fetchall()
    return {fingerprint: json.loads(recipe) for fingerprint, recipe in found}


def _forget_old(folder: UPath, current: str) -> None:
    versions = [path for path in folder.iterdir() if path.name.startswith(_DATA) and path.name != current]
    for path in sorted(versions, key=lambda path: path.stat().st_mtime, reverse=True)[_KEPT_VERSIONS - 1 :]:
        path.fs.rm(path.path, recursive=True)
