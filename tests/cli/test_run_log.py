import pytest

from resources.annotation.loop import LoopOptions, annotate_shard
from resources.annotation.outcome import ClipError, ErrorKind
from tests.dataset.collection import Collection, ScriptedAnnotator, clip
from vidcap_assets.cli.run_log import RunLog

RUN = "cb58fe3b-65f1-4aaf-b3d4-fec45335e83b"
BEFORE = f"2026-11-22 17:12:20 +0000 - dagster - INFO - caption_videos - {RUN} - "


def test_what_the_loop_says_is_understood(collection: Collection) -> None:
    collection.add_shard("shard-00000", [clip("a"), clip("b"), clip("c", probe_error="decode_error: x")])
    say = {"a": "fine", "b": ClipError(ErrorKind.REFUSED, "no")}
    annotator = ScriptedAnnotator("camera_motion", lambda one: say[one.id])
    log, lines = RunLog(), []
    store = collection.lake.store(annotator.recipe, "shard-00000")
    annotate_shard(annotator, collection.lake.clips("shard-00000"), store, LoopOptions(log=lines.append))
    for line in lines:
        log.feed(f"{BEFORE}camera_motion - {line}")
    assert (log.done("camera_motion"), log.failed("camera_motion"), log.run_id) == (3, 1, RUN)
    assert log.rates["camera_motion"] > 0
    assert log.done("captions_llava") == 0


FAILED = (
    f"2026-11-22 17:12:20 +0000 - dagster - ERROR - caption_videos - {RUN} - 32701 - RUN_FAILURE - "
    "Execution of run failed. Steps failed: "
)


@pytest.mark.parametrize(
    ("lines", "failures"),
    [
        (
            [f"{FAILED}['captions_llava', 'tags'].", "", "Exceeded max_retries of 2",
             "dagster._core.definitions.events.Failure: captions_llava: no such model",
             "dagster._core.definitions.events.Failure: tags: 3 clips left to do"],
            {"captions_llava": "no such model", "tags": "3 clips left to do"},
        ),
        (
            [f"{FAILED}['raw_meta'].",
             "dagster._core.errors.DagsterExecutionStepExecutionError: Error occurred while executing op",
             "The above exception was caused by the following exception:", "NameError: name 'x' is not defined"],
            {"raw_meta": "NameError: name 'x' is not defined"},
        ),
        (["dagster._core.errors.DagsterInvalidConfigError: Error in config for job"],
         {"run": "DagsterInvalidConfigError: Error in config for job"}),
        (
            [f"{FAILED}['raw_meta'].", "",
             "dagster._core.errors.DagsterSubprocessError: During multiprocess execution errors occurred:",
             "In process 26452: AttributeError: module 'x' has no attribute 'y'", "",
             f"Error: Run {RUN} resulted in failure."],
            {"raw_meta": "AttributeError: module 'x' has no attribute 'y'"},
        ),
        ([f"{FAILED}['training_set']."], {"training_set": "see the log"}),
        ([], {}),
    ],
)  # fmt: skip
def test_a_failed_step_has_its_reason(lines: list[str], failures: dict[str, str]) -> None:
    log = RunLog()
    for line in lines:
        log.feed(line)
    assert log.failures == failures
