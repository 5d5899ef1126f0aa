"""Structured captions through Dagster into the table: their columns, their text, and what a server makes of them."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from upath import UPath

from resources.dataset.export import export_training_set
from resources.warehouse import Warehouse
from vidcap_assets.component import Collection

PARTS = ("short", "medium", "long", "subject", "environment", "motion", "camera", "style")
FILE = """
type: vidcap_assets.Collection
attributes:
  home: home
  source: {{uri: clips, shard_size: 8}}
  decode: {{workers: 1}}
  annotators:
    - {{kind: camera_motion}}
    - {{kind: structured, model: writer, base_url: "{url}", reads: [labels, source]}}
  text: {{order: [structured.medium, source]}}
"""


class Writer(ThreadingHTTPServer):
    """Answers by the text of the list: a whole object, half of one, prose around it, a wrong camera, an extra field."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict] = []

    def answer(self, body: dict) -> str:
        self.asked.append(body)
        known = body["messages"][-1]["content"]
        whole = dict.fromkeys(PARTS, "") | {name: f"{name} of a pattern" for name in PARTS[:3]}
        said = json.dumps(whole)
        if "half" in known:
            return said[:-30]
        if "prose" in known:
            return f"Sure! Here is the JSON:\n```json\n{said}\n```\nAnything else?"
        if "a camera" in known:
            return json.dumps(whole | {"camera": "The camera zooms out and pans left."})
        if "extra" in known:
            return json.dumps(whole | {"mood": "calm"})
        return said


class _Handler(BaseHTTPRequestHandler):
    server: Writer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        choice = {"message": {"content": self.server.answer(body)}, "finish_reason": "stop"}
        said = json.dumps(
            {"model": "writer", "choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 9}}
        )
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def writer() -> Iterator[Writer]:
    server = Writer()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_parts_become_columns_and_text_and_nothing_invalid_gets_in(
    tmp_path: Path, writer: Writer, write_video, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIDCAP_PINNED", raising=False)
    kinds = ("plain", "half", "prose", "camera", "extra")
    for seed, kind in enumerate(kinds):
        write_video(tmp_path / "clips" / f"{kind}.mp4", seed)
    rows = "".join(f"{tmp_path}/clips/{kind}.mp4,a {kind} pattern\n" for kind in kinds)
    (tmp_path / "list.csv").write_text(f"path,text\n{rows}")
    file = tmp_path / "vidcap.yaml"
    url = f"http://127.0.0.1:{writer.server_port}/v1"
    file.write_text(FILE.format(url=url).replace("uri: clips", "uri: list.csv"))
    defs = dg.Definitions.merge(
        Collection.from_file(file).build_defs(), dg.Definitions(executor=dg.in_process_executor)
    )
    with dg.instance_for_test() as instance:
        jobs = [defs.resolve_job_def(name) for name in ("index_videos", "caption_videos")]
        assert jobs[0].execute_in_process(instance=instance).success
        (shard,) = instance.get_dynamic_partitions("shards")
        lenient = {"ops": {"structured": {"config": {"max_failed_share": 1.0}}}}
        assert jobs[1].execute_in_process(lenient, instance, partition_key=shard).success
    with duckdb.connect(str(tmp_path / "home" / "vidcap.duckdb"), read_only=True) as database:
        table = database.sql(
            "SELECT regexp_extract(path, '([a-z]+).mp4', 1), structured_medium, structured_style, text, text_source, "
            "structured_captions_status, structured_ungrounded FROM captioned_videos"
        ).fetchall()
        failed = database.sql(
            "SELECT error_kind FROM annotations WHERE status = 'failed' ORDER BY ALL"
        ).fetchall()
    found = {row[0]: row[1:] for row in table}
    whole = ("medium of a pattern", None, "medium of a pattern", "structured.medium", "ok")
    assert {kind: row[:5] for kind, row in found.items()} == {
        "plain": whole,
        "prose": whole,
        "half": (None, None, "a half pattern", "source", "failed"),
        "camera": (None, None, "a camera pattern", "source", "failed"),
        "extra": (None, None, "a extra pattern", "source", "failed"),
    }
    assert found["plain"][5] == ["short", "medium", "long"], "pattern is in the list"
    assert failed == [("contradiction",), ("invalid_answer",), ("invalid_answer",)]
    assert all(
        body["response_format"]["json_schema"]["schema"]["required"] == list(PARTS) for body in writer.asked
    )
    made = export_training_set(
        Warehouse(str(tmp_path / "home" / "vidcap.duckdb")), UPath(tmp_path / "exports"), log=lambda _: None
    )
    origins = {one.name: (one.clips, one.model, bool(one.fingerprint)) for one in made.sources}
    assert origins == {"source": (3, "", False), "structured.medium": (2, "writer", True)}
    assert "structured_camera" in made.schema.names
