"""Who waits for the database: first come, first served; the dead and those who may not write hold nobody up."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from resources.warehouse import Warehouse

WRITER = """
import sys
from resources.warehouse import Warehouse
with Warehouse(sys.argv[1], log=lambda said: print(said, flush=True)).connect() as connection:
    connection.execute("INSERT INTO served SELECT ?, count(*) FROM served", [sys.argv[2]])
"""

READER = """
import os, sys
import pandas
from resources.warehouse import Warehouse
os.setuid(65534)
print(len(Warehouse(sys.argv[1]).frame("captioned_videos")))
"""


def writer(uri: str, name: str) -> subprocess.Popen[str]:
    """A process that waits for the database."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, uri, name],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "waiting for the warehouse" in process.stdout.readline()
    return process


def test_they_are_served_in_the_order_in_which_they_came_and_a_dead_one_is_passed_over(
    tmp_path: Path,
) -> None:
    uri = str(tmp_path / "vidcap.duckdb")
    warehouse = Warehouse(uri)
    with warehouse.connect() as connection:
        connection.execute("CREATE TABLE served (name VARCHAR, place INTEGER)")
        waiting = {name: writer(uri, name) for name in ("first", "dead", "second", "third")}
        waiting["dead"].kill()
    # This process has only just let go: it comes after all of them.
    with warehouse.connect() as connection:
        served = connection.execute("SELECT name FROM served ORDER BY place").fetchall()
    codes = {name: process.wait(60) for name, process in waiting.items() if process.communicate(timeout=60)}
    assert served == [("first",), ("second",), ("third",)]
    assert codes == {"first": 0, "dead": -9, "second": 0, "third": 0}
    assert os.listdir(tmp_path / ".vidcap.duckdb.queue") == ["door"], "nobody is left in it"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_may_only_read_reads_without_a_place_in_the_queue(tmp_path: Path) -> None:
    uri = str(tmp_path / "vidcap.duckdb")
    with Warehouse(uri).connect() as connection:
        connection.execute("CREATE TABLE captioned_videos AS SELECT 1 AS id")
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", READER, uri],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "1\n", done.stderr
