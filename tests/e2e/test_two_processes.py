"""Two runs at the same time, and a reader in the way of a merge."""

import dagster as dg
import duckdb

from resources.warehouse import TextRule, Warehouse
from tests.e2e.conftest import Workplace, kill_group, wait_until
from tests.echo import Echo


def test_two_runs_on_different_shards_and_an_open_reader_lose_nothing(workplace: Workplace, write_video):
    for seed in range(8):
        write_video(workplace.source / f"{seed}.mp4", seed)
    workplace.index_and_probe(shard_size=4)
    database = workplace.home / "vidcap.duckdb"
    Warehouse(str(database)).merge(
        workplace.lake, "shard-00000", Echo().declares(), TextRule(["captions_llava"])
    )
    reader = duckdb.connect(str(database), read_only=True)
    runs = [workplace.start("captions_and_merge", shard) for shard in ("shard-00000", "shard-00001")]
    try:
        waiting = "waiting for the warehouse, another process has it open"
        output = ""
        for line in runs[0].stdout:
            output += line
            if waiting in line:
                break
        assert waiting in output, output[-3000:]
        assert reader.execute("SELECT count(*) FROM captioned_videos").fetchone() == (4,)
        reader.close()
        outputs = [run.communicate(timeout=240)[0] for run in runs]
        assert [run.returncode for run in runs] == [0, 0], outputs[0][-3000:] + outputs[1][-3000:]
    finally:
        reader.close()
        for run in runs:
            kill_group(run)
    rows = workplace.query("SELECT shard, count(*) FROM captioned_videos WHERE caption_llava = id GROUP BY 1")
    assert sorted(rows) == [("shard-00000", 4), ("shard-00001", 4)]


def test_a_second_run_of_the_same_shard_waits_and_does_nothing_twice(workplace: Workplace, write_video):
    for seed in range(8):
        write_video(workplace.source / f"{seed}.mp4", seed)
    workplace.index_and_probe()
    workplace.environment["ECHO_BATCH_SECONDS"] = "1"
    first = workplace.start("captions_only", "shard-00000")
    try:
        wait_until(lambda: len(workplace.batches()) >= 1, "the first batch")
        second = workplace.start("captions_only", "shard-00000")
        try:
            outputs = [run.communicate(timeout=240)[0] for run in (first, second)]
            assert (first.returncode, second.returncode) == (0, 0), outputs
        finally:
            kill_group(second)
    finally:
        kill_group(first)
    assert sum(len(ids) for _, ids in workplace.batches()) == 8


def test_an_unknown_shard_exits_1_with_one_sentence_and_no_partition(workplace: Workplace, write_video):
    write_video(workplace.source / "0.mp4")
    dagster_home = workplace.folder / "dagster"
    dagster_home.mkdir()
    workplace.environment["DAGSTER_HOME"] = str(dagster_home)
    workplace.index_and_probe()
    code, output = workplace.run("captions_and_merge", "shard-99999")
    assert code == 1
    assert "there is no shard 'shard-99999'" in output
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        assert list(instance.get_dynamic_partitions("shards")) == []


def test_a_source_that_is_wrong_exits_1_with_one_sentence(workplace: Workplace):
    listing = workplace.folder / "list.csv"
    listing.write_text("file\na.mp4\n")
    code, output = workplace.run("index_videos", VIDCAP_SOURCE=str(listing))
    assert code == 1
    assert f"source {listing}: has no column 'path'" in output
