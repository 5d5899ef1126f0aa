"""A disk that is full when the database is begun."""

import subprocess
from pathlib import Path

import duckdb
import pytest

from resources.warehouse import Warehouse
from tests.faults.world import can_mount


def test_what_a_full_disk_did_not_let_begin_begins_when_there_is_room(tmp_path: Path):
    if not can_mount(tmp_path):
        pytest.skip("nothing can be mounted here")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], check=True)
    try:
        filler = tmp_path / "filler"
        filler.write_bytes(bytes(56 * 1024))
        warehouse = Warehouse(str(tmp_path / "vidcap.duckdb"))
        for _ in range(2):
            with pytest.raises(duckdb.IOException, match="No space left"), warehouse.connect():
                pass
        filler.unlink()
        with warehouse.connect() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        left = {path.name for path in tmp_path.iterdir()} - {".vidcap.duckdb.queue"}
        assert left == {"vidcap.duckdb"}
    finally:
        subprocess.run(["umount", tmp_path], check=True)
