"""The merged table: one row a clip with everything that is known of it."""

import dagster as dg

from resources.annotation.tables import merged_columns
from vidcap_assets.assets import shard_check
from vidcap_assets.assets.columns import captioned_videos_lineage, shown
from vidcap_assets.assets.policies import DUCKDB_POOL, RETRY, failed, told
from vidcap_assets.assets.shard_check import WHOLE
from vidcap_assets.collection.settings import CollectionSettings, caption_asset


def merged_asset(collection: CollectionSettings) -> dg.AssetsDefinition:
    """The asset ``captioned_videos``, with the columns that the collection's annotators declare."""
    declared, key, label = collection.declared, collection.key, collection.label
    own = key("captioned_videos")
    whole = (
        "Every clip of the shard's manifest has one row, and every answer of the lake is in `annotations`."
    )

    @dg.asset(
        key=own,
        partitions_def=collection.shards,
        deps=[key(name) for name in ("raw_meta", *(one.asset for one in declared))],
        group_name="dataset",
        kinds={"duckdb"},
        pool=DUCKDB_POOL,
        output_required=False,
        retry_policy=RETRY,
        backfill_policy=collection.backfill_policy,
        required_resource_keys={label(name) for name in ("lake", "warehouse", "text")},
        check_specs=[shard_check.spec(own, WHOLE, collection.shards, whole)],
        metadata={
            "dagster/column_schema": shown(merged_columns(declared)),
            "dagster/column_lineage": captioned_videos_lineage(key, declared, collection.text_order),
        },
    )
    def captioned_videos(context: dg.AssetExecutionContext):
        """One row a clip: metadata, the captions of all captioners, camera motion, tags, and the chosen text.

        A shard is replaced in one short transaction, straight from the lake. Annotators that have not run yet
        leave NULL and a NULL status; run this again after them.
        """
        import duckdb

        from resources.warehouse import TextRule
        from vidcap_assets.assets.step_shards import StepShards

        store = collection.given(context, "lake").open()
        tables = collection.given(context, "warehouse").open(context.log.warning)
        text = collection.given(context, "text")
        order = [caption_asset(name) for name in text.order] or collection.text_order
        rule = TextRule(order, text.strip_prefix, text.camera_sentence)
        step = StepShards(context, collection, "captioned_videos", store)
        with told(context):
            for shard in step.to_do():
                with step.attempt(shard):
                    try:
                        merge = tables.merge(store, shard, declared, rule)
                    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
                        step.leave(shard, f"a file of it cannot be read: {error}", may_come_right=False)
                        continue
                    except duckdb.IOException as error:
                        raise failed(context, str(error)) from error
                    context.log.info(f"{shard}: {merge.clips} clips merged into {tables.uri}")
                    counted = (merge.clips, merge.ids, merge.in_lake, merge.annotations)
                    check = shard_check.whole(own, shard, len(store.manifest(shard)), *counted)
                    yield check
                    if not check.passed:
                        step.leave(shard, f"{WHOLE}: {check.description}", may_come_right=False)
                        continue
                    metadata = {
                        "dagster/row_count": dg.MetadataValue.int(merge.clips),
                        "clips_total": dg.MetadataValue.int(merge.clips_total),
                        "annotations": dg.MetadataValue.int(merge.annotations),
                        "dagster/uri": dg.MetadataValue.text(tables.uri),
                    }
                    step.finish(shard, metadata, merge.version)
        yield from step.results()
        yield shard_check.output(own, WHOLE)

    return captioned_videos
