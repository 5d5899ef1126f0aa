"""A home that cannot be written or read is said in one sentence."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.world import can_mount


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def clean() -> dict[str, str]:
    """The environment without what other tests have set."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("VIDCAP", "DAGSTER"))}


def test_a_home_that_cannot_be_written_is_named_in_the_last_line(tmp_path, write_video):
    if not can_mount(tmp_path):
        pytest.skip("nothing can be mounted here")
    write_video(tmp_path / "clips" / "0.mp4")
    home = tmp_path / "home"
    command = [sys.executable, "-m", "vidcap_assets.cli", "--home", home, "run", tmp_path / "clips"]

    def last_line() -> str:
        done = subprocess.run(command, cwd=tmp_path, env=clean(), capture_output=True, text=True, check=False)
        assert done.returncode == 1
        return done.stderr.strip().splitlines()[-1]

    with read_only(home):
        assert last_line() == f"✗ {home}/logs: Read-only file system; everything finished is kept"
    with read_only(home / "journal"):
        assert last_line() == f"✗ {home}/journal/video_index: Read-only file system"


def test_a_damaged_file_is_named_by_whatever_command_reads_it(tmp_path):
    manifest = tmp_path / "home" / "lake" / "video_index" / "shard-00000.parquet"
    manifest.parent.mkdir(parents=True)
    manifest.write_bytes(b"PAR1 and nothing more")
    command = [sys.executable, "-m", "vidcap_assets.cli", "--home", tmp_path / "home", "retry"]
    done = subprocess.run(command, cwd=tmp_path, env=clean(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"✗ {manifest} is damaged")
    assert len(done.stderr.splitlines()) == 1
