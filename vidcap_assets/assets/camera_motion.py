"""Camera motion: how the camera moved, told from the pixels alone."""

import dagster as dg

from vidcap_assets.annotate_config import AnnotateConfig, check_specs
from vidcap_assets.checks import LABEL_CHECKS
from vidcap_assets.columns import ANNOTATION, annotation_lineage
from vidcap_assets.partitions import shards
from vidcap_assets.policies import RETRY, SEVERAL_SHARDS
from vidcap_assets.preview import contact_sheet
from vidcap_assets.resources import CameraResource, DecodeResource, LakeResource


@dg.asset(
    partitions_def=shards,
    deps=["raw_meta"],
    group_name="camera",
    kinds={"opencv"},
    output_required=False,
    retry_policy=RETRY,
    backfill_policy=SEVERAL_SHARDS,
    check_specs=check_specs("camera_motion", LABEL_CHECKS),
    metadata={
        "dagster/column_schema": ANNOTATION,
        "dagster/column_lineage": annotation_lineage(("raw_meta", "path")),
    },
)
def camera_motion(
    context: dg.AssetExecutionContext,
    config: AnnotateConfig,
    lake: LakeResource,
    decode: DecodeResource,
    camera: CameraResource,
):
    """Pan, tilt and zoom of each clip, as labels that may overlap (`pan_left+zoom_in`), or why there is none.

    Runs on the CPU, in the decoding processes, one pass over each clip.
    """
    from resources.video import FrameReader
    from vidcap_assets.annotate import AnnotationStep, ShardTask, failing_clearly

    store = lake.open()
    with failing_clearly("camera_motion"), decode.open() as workers:
        annotator = camera.annotator(workers)
        step = AnnotationStep(
            context,
            "camera_motion",
            config,
            store,
            decode.worker_count,
            LABEL_CHECKS,
            lambda clips, outcomes: contact_sheet(clips, outcomes, FrameReader(workers, decode.backend)),
        )
        yield from step.run(lambda shard: ShardTask(annotator, store.clips(shard)))
