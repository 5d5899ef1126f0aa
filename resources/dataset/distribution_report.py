"""The distribution as files: a table in two formats, and a plot of each facet."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath

from resources.dataset.distribution import distribution
from resources.dataset.plots import draw_plots
from resources.dataset.publication import Published, publication, tree_version
from resources.dataset.tables import CsvFile
from resources.warehouse import Warehouse


@dataclass(frozen=True)
class PublishedDistribution:
    """The table, a PNG for each facet, and where both were put."""

    table: pa.Table
    plots: dict[str, bytes]
    published: Published


def publish_distribution(warehouse: Warehouse, reports: UPath) -> PublishedDistribution:
    """Count, draw, and publish ``distribution.parquet``, ``.csv`` and the plots as ``reports/distribution``.

    Raises:
        WarehouseEmptyError: nothing has been merged yet.
        WarehouseBusyError: another process kept the database open.
    """
    table = distribution(warehouse)
    plots = draw_plots(table)
    with publication(reports, "distribution") as draft:
        pq.write_table(table, draft.built / "distribution.parquet", compression="zstd")
        plain = table.set_column(
            table.schema.get_field_index("variants"),
            "variants",
            pc.binary_join(table["variants"].cast(pa.list_(pa.string())), "; "),
        )
        with CsvFile(draft.built / "distribution.csv", plain.schema) as file:
            for batch in plain.to_batches():
                file.write(batch)
        for facet, png in plots.items():
            (draft.built / f"{facet}.png").write_bytes(png)
        published = draft.publish(tree_version(draft.built))
    return PublishedDistribution(table, plots, published)
