"""The clips: found, put into shards, and measured by their headers."""

import os
from collections import Counter

import dagster as dg

from resources.annotation.progress import VARIABLE, append_to
from resources.annotation.tables import RAW_META
from vidcap_assets.assets import shard_check
from vidcap_assets.assets.columns import shown
from vidcap_assets.assets.policies import RETRY, told
from vidcap_assets.assets.shard_check import WHOLE
from vidcap_assets.collection.settings import CollectionSettings

_GROUP = "videos"
META = "raw_meta"
_LATER = ("extra", "start_s", "end_s")


def video_assets(collection: CollectionSettings) -> list[dg.AssetsDefinition]:
    """The assets ``video_index`` and ``raw_meta`` of a collection."""
    key, label, shards = collection.key, collection.label, collection.shards

    @dg.asset(
        key=key("video_index"),
        group_name=_GROUP,
        kinds={"parquet"},
        metadata={"collection": dg.MetadataValue.json(collection.shown())},
        required_resource_keys={label("source"), label("lake"), label("decode")},
    )
    def video_index(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        """The clips of the source, each with a stable id, in shards of fixed membership.

        New clips go into new shards and become new partitions; existing shards never change when clips are
        added, so nothing that was captioned has to be captioned again. A clip is its content: moved or renamed it
        keeps its id; gone from the source it leaves the tables, and with its file its answers come back.
        Duplicates stay clips of their own and are reported, and so is every file that is left out.
        """
        from resources.lake.indexing import index_source
        from resources.lake.left_out import lines
        from vidcap_assets.assets.step_shards import digest

        source = collection.given(context, "source")
        store = collection.given(context, "lake").open()
        with told(context), collection.given(context, "decode").open() as workers:
            tell = append_to(os.environ.get(VARIABLE))
            update = index_source(store, source.survey, source.shard_size, workers, context.log.info, tell)
        names, left_out = store.shards(), lines(store.left_out())
        there = [store.manifest(name) for name in names]
        registered = shards.register(context.instance, names)
        counts = ", ".join(f"{len(ids)} {change}" for change, ids in update.changes.items())
        context.log.info(
            f"{sum(map(len, there))} clips in {len(names)} shards, {update.texts} with a text of the source: {counts}"
        )
        for line in left_out:
            context.log.info(f"left out: {line}")
        shown = ([[one.id, one.path, one.shown, one.text] for one in clips] for clips in there)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest([digest(of_shard) for of_shard in shown])),
            metadata={
                "dagster/row_count": sum(map(len, there)),
                "shards": len(names),
                "left_out": dg.MetadataValue.json(left_out),
                "new_partitions": dg.MetadataValue.json(registered),
                **{
                    change: dg.MetadataValue.json({"count": len(ids), "first": ids[:20]})
                    for change, ids in update.changes.items()
                },
            },
        )

    @dg.asset(
        key=key(META),
        partitions_def=shards,
        deps=[video_index],
        group_name=_GROUP,
        kinds={"parquet"},
        output_required=False,
        retry_policy=RETRY,
        backfill_policy=collection.backfill_policy,
        required_resource_keys={label("decode"), label("lake")},
        check_specs=[shard_check.spec(key(META), WHOLE, shards, "Every clip of the shard has one row.")],
        metadata={"dagster/column_schema": shown(RAW_META)},
    )
    def raw_meta(context: dg.AssetExecutionContext):
        """What the header of each file says: size, frames, frame rate, duration, codec.

        Nothing is decoded. A file that cannot be read keeps its row, with the reason in `probe_error`; the
        annotators skip it and say why.
        """
        from resources.annotation.outcome import ErrorKind
        from resources.lake.meta import META_SCHEMA, probe_clips
        from resources.storage.files import read_table
        from vidcap_assets.assets.step_shards import StepShards, rows_version

        store = collection.given(context, "lake").open()
        step = StepShards(context, collection, META, store)
        with told(context), collection.given(context, "decode").open() as workers:
            for shard in step.to_do():
                with step.attempt(shard):
                    clips = store.manifest(shard)
                    table = probe_clips(clips, workers)
                    kinds = Counter(
                        error.partition(":")[0] for error in table["probe_error"].to_pylist() if error
                    )
                    if kinds[ErrorKind.MISSING_FILE] == table.num_rows > 0:
                        step.leave(
                            shard, f"none of its {table.num_rows} files is there; is the storage mounted?"
                        )
                        continue
                    store.write_meta(shard, table)
                    ids = read_table(store.file(META, shard), columns=["id"])["id"].to_pylist()
                    known = {clip.id for clip in clips}.intersection(ids)
                    check = shard_check.whole(key(META), shard, len(clips), len(ids), len(known))
                    yield check
                    if not check.passed:
                        step.leave(shard, f"{WHOLE}: {check.description}", may_come_right=False)
                        continue
                    context.log.info(
                        f"{shard}: {table.num_rows} clips probed, {kinds.total()} not readable {dict(kinds)}"
                    )
                    metadata = {
                        "dagster/row_count": dg.MetadataValue.int(table.num_rows),
                        "not_readable": dg.MetadataValue.int(kinds.total()),
                        "failure_kinds": dg.MetadataValue.json(dict(kinds)),
                        "dagster/uri": dg.MetadataValue.text(str(store.file(META, shard))),
                    }
                    # Without columns that 0.1.0 did not have and that say nothing: the version that it gave.
                    said = {name for name in META_SCHEMA.names if table[name].null_count < table.num_rows}
                    names = [name for name in META_SCHEMA.names if name in said or name not in _LATER]
                    step.finish(shard, metadata, rows_version(table, names))
        yield from step.results()
        yield shard_check.output(key(META), WHOLE)

    return [video_index, raw_meta]
