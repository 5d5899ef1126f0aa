"""kill -9 at random instants, then the same command again."""

import os
import random
import signal
import time
from collections import Counter

import pyarrow.parquet as pq

from resources.storage.files import TEMP_PREFIX
from tests.e2e.conftest import Workplace, kill_group, wait_until

CLIPS, BATCH, KILLS = 100, 4, 10


def test_killed_steps_recaption_only_the_batch_in_flight(workplace: Workplace, write_video):
    for seed in range(CLIPS):
        write_video(workplace.source / f"{seed:03}.mp4", seed)
    workplace.index_and_probe()
    pace = random.Random(0)
    for _ in range(KILLS):
        before = len(workplace.batches())
        process = workplace.start("captions_only", "shard-00000", ECHO_BATCH_SECONDS="0.3")
        try:
            wait_until(lambda seen=before: len(workplace.batches()) > seen, "a batch to start")
            time.sleep(pace.uniform(0, 0.45))
            step, _ = workplace.batches()[-1]
            os.kill(step, signal.SIGKILL)
        finally:
            kill_group(process)
    output = workplace.succeed("captions_and_merge", "shard-00000")

    rows = workplace.query("SELECT id, caption_llava, captions_llava_status FROM captioned_videos")
    assert len(rows) == len({clip_id for clip_id, *_ in rows}) == CLIPS
    assert all(caption == clip_id and status == "ok" for clip_id, caption, status in rows), output
    asked = Counter(clip_id for _, ids in workplace.batches() for clip_id in ids)
    assert set(asked) == {clip_id for clip_id, *_ in rows}
    assert asked.total() - CLIPS <= KILLS * BATCH
    assert asked.total() > CLIPS, "no kill hit a batch in flight"
    for file in workplace.home.rglob("*.parquet"):
        pq.ParquetFile(file).read()
    assert not list(workplace.home.rglob(f"{TEMP_PREFIX}*"))


def test_a_killed_step_is_retried_within_its_run(workplace: Workplace, write_video):
    for seed in range(12):
        write_video(workplace.source / f"{seed:03}.mp4", seed)
    workplace.index_and_probe()
    process = workplace.start("captions_and_merge", "shard-00000", ECHO_HANGS_AT="2")
    try:
        wait_until(lambda: len(workplace.batches()) == 2, "the second batch")
        os.kill(workplace.batches()[-1][0], signal.SIGKILL)
        output, _ = process.communicate(timeout=240)
    finally:
        kill_group(process)
    assert process.returncode == 0, output[-4000:]
    assert "STEP_UP_FOR_RETRY" in output
    assert workplace.query("SELECT count(*) FROM captioned_videos WHERE caption_llava = id") == [(12,)]
    assert sum(len(ids) for _, ids in workplace.batches()) == 12 + BATCH
