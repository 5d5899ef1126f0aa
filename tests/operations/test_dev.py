"""Weeks of operation in a few minutes: one real ``dagster dev``, what it is asked to do and what is done to it.

The tests of this file tell one story and run in the order they stand in.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.annotation.outcome import Status
from resources.lake.indexing import index_source
from resources.lake.lake import Lake
from resources.lake.meta import probe_clips
from resources.source.source import survey
from resources.storage.files import read_table
from resources.video import IsolatedWorkers
from tests.operations.browser import open_browser
from tests.operations.dev import Dev

pytestmark = pytest.mark.slow

SHARDS = [f"shard-{number:05}" for number in range(6)]


class Operated:
    def __init__(self, folder: Path) -> None:
        self.folder, self.source, self.lake = folder, folder / "source", Lake(folder / "home")
        self.dev = Dev(
            folder,
            {
                "VIDCAP_HOME": str(folder / "home"),
                "VIDCAP_SOURCE": str(self.source),
                "VIDCAP_SHARD_SIZE": "6",
                "VIDCAP_SHARDS_PER_RUN": "3",
                "VIDCAP_LOOK_EVERY_S": "3",
                "ECHO_FOLDER": str(folder),
            },
        )

    def asked(self) -> Counter[str]:
        """How often the echo was asked for each clip, by the name of its file."""
        calls = self.folder / "calls.txt"
        lines = calls.read_text().splitlines() if calls.exists() else []
        clips = (clip for shard in self.lake.shards() for clip in self.lake.manifest(shard))
        names = {clip.id: Path(clip.path).stem for clip in clips}
        return Counter(
            names[asked] for line in lines for asked in line.split()[1:]
        )  # the process comes first

    def captions(self, shard: str) -> list[tuple[str, str]]:
        """Clip and caption of the rows that count."""
        rows = read_table(self.lake.file("captions_llava", shard)).to_pylist()
        return [(row["id"], row["value"]) for row in rows if row["current"] and row["status"] == Status.OK]

    def all_captioned_once(self, shard: str) -> bool:
        return sorted(self.captions(shard)) == sorted(
            (clip.id, clip.id) for clip in self.lake.manifest(shard)
        )


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory, write_video) -> Iterator[Operated]:
    place = Operated(tmp_path_factory.mktemp("operated"))
    for seed in range(6):
        write_video(place.source / f"{seed}.mp4", seed)
    with IsolatedWorkers(1) as workers:
        indexed = index_source(place.lake, lambda: survey(place.source), 1, workers)
        for shard, clips in indexed.written.items():
            place.lake.write_meta(shard, probe_clips(clips, workers))
    place.dev.start()
    try:
        yield place
    finally:
        place.dev.stop()


def test_a_shard_is_materialised(operated: Operated):
    run = operated.dev.launch("__ASSET_JOB", SHARDS[0], "captions_llava")
    operated.dev.wait_until(lambda: operated.dev.status(run) in ("SUCCESS", "FAILURE"), "the run")
    assert operated.dev.status(run) == "SUCCESS"
    assert operated.all_captioned_once(SHARDS[0])


def test_a_backfill_takes_k_shards_a_run_and_shows_exactly_the_bad_one(operated: Operated):
    (operated.folder / "poison").write_text("4")
    # A backfill names partitions that the instance knows.
    for shard in SHARDS:
        operated.dev.add_partition(shard)
    before = len(operated.dev.runs())
    backfill = operated.dev.backfill("captions_llava", SHARDS)
    done = ("COMPLETED", "COMPLETED_FAILED", "FAILED")
    operated.dev.wait_until(lambda: operated.dev.backfill_status(backfill) in done, "the backfill")
    runs = operated.dev.runs()[: -before or None]
    ranges = sorted(
        (run["tags"]["dagster/asset_partition_range_start"], run["tags"]["dagster/asset_partition_range_end"])
        for run in runs
    )
    assert ranges == [(SHARDS[0], SHARDS[2]), (SHARDS[3], SHARDS[5])]
    assert operated.dev.partitions("captions_llava") == ({*SHARDS} - {SHARDS[4]}, {SHARDS[4]})
    assert operated.asked()["0"] == 1, "what was captioned before is not captioned again"


def test_the_ui_shows_the_graph_the_partitions_and_frames_with_their_captions(
    operated: Operated, tmp_path: Path
):
    with open_browser(tmp_path) as browser:
        graph = browser.page(f"{operated.dev.url}/assets/captions_llava?view=lineage&lineageScope=neighbors")
        graph.wait_for(
            "['raw_meta', 'captions_llava', 'captioned_videos'].every(name => text().includes(name))"
        )
        graph.screenshot("graph")

        partitions = browser.page(f"{operated.dev.url}/assets/captions_llava?view=partitions")
        counted = ["Failed (1)", "Materialized (5)", "Missing (0)", *SHARDS]
        partitions.wait_for(f"{counted}.every(words => text().includes(words))")
        partitions.screenshot("partitions")

        # The backfill captioned this shard, so it has frames to show.
        shard = browser.page(
            f"{operated.dev.url}/assets/captions_llava?view=partitions&partition={SHARDS[5]}"
        )
        shard.click_beside("contact_sheet", "Show Markdown")
        shown = operated.lake.manifest(SHARDS[5])[0].id
        shard.wait_for(
            f"[...document.querySelectorAll('img[src^=\"data:image/webp\"]')]"
            f".some(picture => picture.alt === {shown!r} && picture.naturalWidth > 0)"
        )
        shard.wait_for("document.getAnimations().every(one => one.playState === 'finished')")
        shard.screenshot("materialisation")

        checks = browser.page(f"{operated.dev.url}/assets/captions_llava?view=checks")
        checks.wait_for("['accounting', 'failed_share', 'distinct'].every(name => text().includes(name))")
        checks.screenshot("checks")


def test_the_schedule_fills_the_gap_and_nothing_else(operated: Operated):
    (operated.folder / "poison").unlink()
    (operated.folder / "calls.txt").unlink()
    operated.dev.start_schedule("nightly_gaps")
    operated.dev.wait_until(
        lambda: SHARDS[4] in operated.dev.partitions("captions_llava")[0], "the gap to be filled"
    )
    assert set(operated.asked()) == {"4"}
    assert operated.all_captioned_once(SHARDS[4])
    (gap,) = (run for run in operated.dev.runs() if "vidcap/gap" in run["tags"])
    assert (gap["tags"]["dagster/partition"], gap["tags"]["vidcap/gap"]) == (
        SHARDS[4],
        "captions_llava failed",
    )


def test_killed_with_everything_it_resumes_from_new_files_to_captions(operated: Operated, write_video):
    operated.dev.start_sensor("new_clips")
    (operated.folder / "slow").touch()
    for seed in range(10, 16):
        write_video(operated.source / f"{seed}.mp4", seed)
    operated.dev.wait_until(lambda: operated.asked().total() >= 1 + 4, "the second batch of the new shard")
    new = operated.lake.shards()[-1]
    assert new == "shard-00006"
    operated.dev.kill_everything()
    (operated.folder / "slow").unlink()

    assert operated.dev.gpu_slots_taken() == 1, "the killed run still has its place"
    operated.dev.start()
    operated.dev.wait_until(
        lambda: new in operated.dev.partitions("captions_llava")[0], "the new shard to be done"
    )
    operated.dev.wait_until(lambda: operated.dev.gpu_slots_taken() == 0, "the place in the pool to be free")
    assert operated.all_captioned_once(new)
    asked = operated.asked()
    asked.subtract({"4": 1})
    assert asked.total() <= 6 + 2, "at most the batch in flight is asked for again"
    # The newest comes first; what took over was a retry or the schedule, whichever was quicker.
    killed = [run for run in operated.dev.runs() if run["tags"].get("dagster/partition") == new][-1]
    assert killed["status"] == "FAILURE"
