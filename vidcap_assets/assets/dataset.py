"""What is made of the merged table: its distribution, a gallery to look at, the training set."""

import base64
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from resources.dataset.export_set import ExportOptions, ExportSet
from resources.words.markdown import table
from vidcap_assets.assets.columns import lineage
from vidcap_assets.assets.policies import DUCKDB_POOL, RETRY, told
from vidcap_assets.assets.shard_check import WHOLE
from vidcap_assets.collection.settings import CollectionSettings

if TYPE_CHECKING:
    import pyarrow as pa
    from upath import UPath

    from resources.warehouse import Warehouse

_WHOLE = "Every chosen clip has a row with a text."


class GalleryConfig(dg.Config):
    """How much is shown."""

    max_clips: int = Field(
        default=10_000, ge=0, description="Clips at most, spread over the collection; 0 for every clip."
    )


class TrainingSetConfig(dg.Config, ExportOptions):
    """Which clips are exported and in what forms. Bounds are inclusive; what is left out restricts nothing."""

    def model_post_init(self, context: object) -> None:
        """Leave the values for the step to judge, which fails in a sentence and is not tried again."""


def dataset_assets(collection: CollectionSettings) -> list[dg.AssetsDefinition]:
    """The assets ``category_distribution``, ``caption_gallery`` and ``training_set`` of a collection."""
    key, label = collection.key, collection.label
    shared: dict[str, Any] = {
        "deps": [key("captioned_videos")],
        "group_name": "dataset",
        "retry_policy": RETRY,
    }

    def opened(context: dg.AssetExecutionContext, folder: str) -> "tuple[Warehouse, UPath]":
        warehouse = collection.given(context, "warehouse").open(context.log.warning)
        return warehouse, collection.given(context, "lake").open().folder(folder)

    def export_asset(chosen: ExportSet) -> dg.AssetsDefinition:
        @dg.asset(
            key=key(f"export_{chosen.name}"),
            description=f"The files of the preset {chosen.preset} in `exports/{chosen.name}`; its USE.md says how they "
            "are used. Nothing is written where nothing is new.",
            pool=DUCKDB_POOL,
            required_resource_keys={label("lake"), label("warehouse")},
            metadata={"settings": dg.MetadataValue.json(chosen.shown())},
            **shared,
        )
        def export(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
            from resources.dataset.preset_export import export_preset

            with told(context):
                made = export_preset(*opened(context, "exports"), chosen, demo_models=collection.demo_models)
            return dg.MaterializeResult(
                data_version=dg.DataVersion(made.content_hash[:16]),
                metadata={
                    "dagster/row_count": sum(made.rows.values()),
                    "clips": dg.MetadataValue.json(made.rows),
                    "left_out": dg.MetadataValue.json(made.left_out),
                    "dagster/uri": str(made.folder),
                    "written": made.written,
                },
            )

        return export

    @dg.asset(
        key=key("category_distribution"),
        kinds={"duckdb"},
        pool=DUCKDB_POOL,
        required_resource_keys={label("lake"), label("warehouse")},
        **shared,
    )
    def category_distribution(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        """How often each object, action, camera motion, length, resolution and duration occurs.

        Over the whole collection and for each captioner, as a Parquet table, a CSV and plots in
        `reports/distribution`. Tags that are spellings of one word count as one; which, stands in `variants`.
        """
        from resources.dataset.distribution import ALL
        from resources.dataset.distribution_report import publish_distribution

        with told(context):
            made = publish_distribution(*opened(context, "reports"))
        pictures = (
            f"![{name}](data:image/png;base64,{base64.b64encode(png).decode()})"
            for name, png in made.plots.items()
        )
        rows = [row for row in made.table.to_pylist() if row["captioner"] == ALL]
        context.log.info(f"{made.table.num_rows} rows in {made.folder}")
        return dg.MaterializeResult(
            data_version=dg.DataVersion(made.version),
            metadata={
                "dagster/row_count": made.table.num_rows,
                "dagster/uri": str(made.folder),
                "dagster/column_schema": _columns(made.table.schema),
                "distribution": dg.MetadataValue.md("\n\n".join(pictures)),
                "commonest": dg.MetadataValue.md(
                    table(["facet", "value", "clips", "share"], [row for row in rows if row["position"] < 3])
                ),
            },
        )

    @dg.asset(
        key=key("caption_gallery"),
        kinds={"html"},
        required_resource_keys={label(name) for name in ("lake", "warehouse", "decode")},
        **shared,
    )
    def caption_gallery(context: dg.AssetExecutionContext, config: GalleryConfig) -> dg.MaterializeResult:
        """A page to open from disk: each clip's frames beside what every captioner says of it.

        Words that only one captioner uses are marked; search, filters by tag, camera motion and status, the
        recipe behind every answer. Frames are read once for each content, so building it again is quick.
        """
        from resources.dataset.gallery import build_gallery

        decode = collection.given(context, "decode")
        with told(context), decode.frames() as (frames, _):
            gallery = build_gallery(
                *opened(context, "reports"),
                frames,
                context.log.info,
                max_clips=config.max_clips,
                workers=decode.worker_count,
                demo_models=collection.demo_models,
            )
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": gallery.shown,
                "clips": gallery.clips,
                "without_picture": gallery.without_sheet,
                "page": dg.MetadataValue.path(str(gallery.page)),
            }
        )

    @dg.asset(
        key=key("training_set"),
        check_specs=[dg.AssetCheckSpec(WHOLE, asset=key("training_set"), blocking=True, description=_WHOLE)],
        kinds={"parquet"},
        pool=DUCKDB_POOL,
        required_resource_keys={label("lake"), label("warehouse")},
        **shared,
    )
    def training_set(context: dg.AssetExecutionContext, config: TrainingSetConfig) -> dg.MaterializeResult:
        """The rows to train on, in `exports/training_set`: Parquet with a data card, CSV, Open-Sora's files, tars.

        Always in the same order, with a hash of the content; filters and recipes are recorded beside the data.
        Published all at once: a reader sees the export before or the one after.
        """
        from resources.dataset.export import export_training_set
        from resources.dataset.tables import TRAINING_SCHEMA
        from resources.storage.files import read_table

        with told(context):
            options = ExportOptions(**config.model_dump())
            made = export_training_set(
                *opened(context, "exports"), options, context.log.info, collection.demo_models
            )
        files = (made.folder / name for name in made.files if name.startswith("data/"))
        texts = [text for one in files for text in read_table(one, columns=["text"])["text"].to_pylist()]
        whole = dg.AssetCheckResult(
            check_name=WHOLE,
            passed=len(texts) == made.rows and all(texts),
            metadata={"chosen": made.rows, "rows": len(texts), "without_text": texts.count("")},
        )
        return dg.MaterializeResult(
            check_results=[whole],
            data_version=dg.DataVersion(made.content_hash[:16]),
            metadata={
                "dagster/row_count": made.rows,
                "left_out": made.clips - made.rows,
                "dagster/uri": str(made.folder),
                "content_hash": made.content_hash,
                "filters": dg.MetadataValue.json(options.active),
                "dagster/column_schema": _columns(made.schema),
                "dagster/column_lineage": lineage(
                    key, **{name: [("captioned_videos", name)] for name in TRAINING_SCHEMA.names}
                ),
                "text_sources": dg.MetadataValue.json({origin.name: origin.clips for origin in made.sources}),
                "files": dg.MetadataValue.json(made.files),
                "preview": dg.MetadataValue.md(
                    table(["path", "text", "num_frames"], made.preview.to_pylist())
                ),
            },
        )

    return [
        category_distribution,
        caption_gallery,
        training_set,
        *(export_asset(one) for one in collection.exports),
    ]


def _columns(schema: "pa.Schema") -> dg.TableSchema:
    said = [(field.metadata or {}).get(b"description", b"").decode() for field in schema]
    return dg.TableSchema(
        [dg.TableColumn(one.name, str(one.type), meaning) for one, meaning in zip(schema, said, strict=True)]
    )
