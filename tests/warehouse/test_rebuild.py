import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from resources.lake.lake import Lake, NotMaterialisedError
from resources.warehouse import RowsLostError, Warehouse, WarehouseBusyError, filling
from tests.dataset.collection import DECLARED, RULE, Collection
from tests.warehouse.test_merge import one, tables

# The parent hears of it once what the script does has been done.
HOLDER = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]{}); print(flush=True); time.sleep(60)"
KILLED = """
import duckdb, os, signal, sys
c = duckdb.connect(sys.argv[1])
c.execute("SET checkpoint_threshold = '1TB'")
c.execute("CREATE TABLE captioned_by_nobody AS SELECT 1")
c.execute("DELETE FROM captioned_videos")
os.kill(os.getpid(), signal.SIGKILL)
"""


def rebuild(collection: Collection, **options) -> int:
    return collection.warehouse.rebuild(collection.lake, DECLARED, RULE, **options)


def beside(collection: Collection) -> set[str]:
    return {path.name for path in collection.root.glob("vidcap.duckdb*")}


def test_rebuild_gives_the_same_tables_as_the_merges(
    captioned: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, heard = tables(captioned.warehouse), []
    with captioned.warehouse.connect() as connection:
        connection.execute("DELETE FROM captioned_videos WHERE id = 'a1'")
    monkeypatch.setattr(filling, "GROUP_BYTES", 1)
    assert rebuild(captioned, progress=lambda *now: heard.append(now)) == 6
    assert tables(captioned.warehouse) == before
    assert len(one(captioned, "SELECT * FROM coverage")) == 12
    assert heard == [(0, 2), (1, 2), (2, 2)]


def test_rebuild_before_any_annotator_has_run(captioned: Collection) -> None:
    for name in ("captions_pllava", "captions_llava", "captions_gpt4v", "camera_motion"):
        captioned.lake.file(name, "shard-00001").unlink()
    for name in ("tags_objects", "tags_actions"):
        captioned.lake.file(name, "shard-00001").unlink()
    assert rebuild(captioned) == 6
    assert one(captioned, "SELECT count(DISTINCT id) FROM annotations") == [(3,)]


def test_what_a_killed_writer_left_does_not_come_back(captioned: Collection) -> None:
    before = tables(captioned.warehouse)
    killed = subprocess.run([sys.executable, "-c", KILLED, captioned.warehouse.uri], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert "vidcap.duckdb.wal" in beside(captioned)
    rebuild(captioned)
    assert beside(captioned) == {"vidcap.duckdb"}
    assert tables(captioned.warehouse) == before
    assert one(captioned, "SELECT count(*) FROM duckdb_tables()") == [(5,)]


def test_no_wal_is_beside_the_new_file_when_it_takes_its_place(
    captioned: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever opens the name next would apply an old WAL to the new file."""
    subprocess.run([sys.executable, "-c", KILLED, captioned.warehouse.uri], check=False)
    seen, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda *names: (seen.append(beside(captioned)), replace(*names)))
    rebuild(captioned)
    assert seen == [{"vidcap.duckdb", "vidcap.duckdb.rebuilding"}]


def test_what_a_killed_rebuild_left_is_cleared(captioned: Collection) -> None:
    before = tables(captioned.warehouse)
    for name in ("rebuilding", "rebuilding.wal"):
        Path(f"{captioned.warehouse.uri}.{name}").write_bytes(b"half")
    rebuild(captioned)
    assert tables(captioned.warehouse) == before
    assert beside(captioned) == {"vidcap.duckdb"}


@pytest.mark.parametrize("access", ["", ", read_only=True"])
def test_rebuild_waits_for_who_has_the_database_open(captioned: Collection, access: str) -> None:
    uri, heard = captioned.warehouse.uri, []
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(access), uri], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(WarehouseBusyError, match=str(other.pid)):
            Warehouse(uri, lock_timeout_s=0.2, log=heard.append).rebuild(captioned.lake, DECLARED, RULE)
        other.kill()
    assert heard
    assert rebuild(captioned) == 6


def test_a_damaged_database_is_set_aside(captioned: Collection) -> None:
    before, heard = tables(captioned.warehouse), []
    Path(captioned.warehouse.uri).write_bytes(b"no database" * 1000)
    Warehouse(captioned.warehouse.uri, log=heard.append).rebuild(captioned.lake, DECLARED, RULE)
    assert tables(captioned.warehouse) == before
    assert beside(captioned) == {"vidcap.duckdb", "vidcap.duckdb.damaged"}
    assert "vidcap.duckdb.damaged" in heard[0]


def test_an_empty_lake_takes_nothing_away(captioned: Collection, tmp_path: Path) -> None:
    before = tables(captioned.warehouse)
    with pytest.raises(NotMaterialisedError, match="nothing to rebuild from"):
        captioned.warehouse.rebuild(Lake(tmp_path / "elsewhere"), DECLARED, RULE)
    assert tables(captioned.warehouse) == before


def test_a_rebuild_that_lost_rows_replaces_nothing(
    captioned: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tables(captioned.warehouse)
    insert = filling.insert_shards

    def lossy(connection, *arguments):
        inserted = insert(connection, *arguments)
        connection.execute("DELETE FROM annotations WHERE id = 'a1'")
        return inserted

    monkeypatch.setattr("resources.warehouse.warehouse.insert_shards", lossy)
    with pytest.raises(RowsLostError):
        rebuild(captioned)
    assert tables(captioned.warehouse) == before
