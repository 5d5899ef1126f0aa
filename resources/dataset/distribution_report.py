"""The distribution as files: a table in two formats, and a plot of each facet."""

import hashlib
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from resources.dataset.distribution import distribution
from resources.dataset.plots import draw_plots
from resources.dataset.publication import publication
from resources.warehouse import Warehouse


@dataclass(frozen=True)
class PublishedDistribution:
    """The table, a hash of it, a PNG for each facet, and the folder they are in."""

    table: pa.Table
    plots: dict[str, bytes]
    version: str
    folder: UPath


def publish_distribution(warehouse: Warehouse, reports: UPath) -> PublishedDistribution:
    """Count, draw, and publish ``distribution.parquet``, ``.csv`` and the plots as ``reports/distribution``.

    Raises:
        WarehouseEmptyError: nothing has been merged yet.
        WarehouseBusyError: another process kept the database open.
    """
    table = distribution(warehouse)
    plots = draw_plots(table)
    frame = table.to_pandas()
    frame["variants"] = frame["variants"].str.join("; ")
    plain = frame.to_csv(index=False)
    with publication(reports, "distribution") as built:
        pq.write_table(table, built / "distribution.parquet", compression="zstd")
        (built / "distribution.csv").write_text(plain)
        for facet, png in plots.items():
            (built / f"{facet}.png").write_bytes(png)
    version = hashlib.sha256(plain.encode()).hexdigest()[:16]
    return PublishedDistribution(table, plots, version, reports / "distribution")
