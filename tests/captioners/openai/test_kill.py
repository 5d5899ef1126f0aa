"""kill -9 with requests in flight: the server's own bill tells what it cost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
from caption_shard import caption_shard
from upath import UPath

from resources.annotation.journal import Journal

COUNT, IN_FLIGHT = 120, 8
KILL_AFTER = [7, 70]
SCRIPT = Path(__file__).with_name("caption_shard.py")
ROOT = Path(__file__).parents[3]


def start(server, folder):
    arguments = [sys.executable, SCRIPT, server.base_url, folder, str(COUNT), str(IN_FLIGHT)]
    return subprocess.Popen(
        arguments, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL
    )


def durable_ids(folder):
    return [
        clip_id
        for journal in (folder / "journal").iterdir()
        if journal.is_dir()
        for clip_id in Journal(UPath(journal)).read()["id"].to_pylist()
    ]


def test_a_killed_run_buys_again_only_what_was_in_flight(server, tmp_path):
    server.latency_s = lambda number: 0.02 + 0.02 * (number % 3)
    for charged in KILL_AFTER:
        process = start(server, tmp_path)
        while len(server.charged) < charged and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        server.wait_until_idle()
        bought = set(server.charged)
        safe = {int(clip_id[1:]) for clip_id in durable_ids(tmp_path)}
        assert safe <= bought
        assert len(bought - safe) <= IN_FLIGHT + IN_FLIGHT // 8
    safe_before = len(set(durable_ids(tmp_path)))
    assert caption_shard(server.base_url, tmp_path, COUNT, IN_FLIGHT) == COUNT - safe_before
    rows = pq.read_table(tmp_path / "lake.parquet").to_pylist()
    assert {row["id"]: row["value"] for row in rows} == {f"c{n}": f"clip {n}" for n in range(COUNT)}
    assert len(rows) == COUNT
    twice = server.charged.total() - COUNT
    assert set(server.charged) == set(range(COUNT))
    assert twice <= len(KILL_AFTER) * (IN_FLIGHT + IN_FLIGHT // 8)
    assert max(server.charged.values()) <= 1 + len(KILL_AFTER)


def test_a_finished_shard_sends_nothing(server, tmp_path):
    assert caption_shard(server.base_url, tmp_path, COUNT, IN_FLIGHT) == COUNT
    assert caption_shard(server.base_url, tmp_path, COUNT, IN_FLIGHT) == 0
    assert server.charged.total() == len(server.received) == COUNT
