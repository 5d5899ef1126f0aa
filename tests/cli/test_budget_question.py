"""``vidcap run`` on a terminal asks what a paid captioner without a budget may spend, and keeps to the answer."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow.parquet as pq

from tests.cli.test_terminal import Terminal, terminal  # noqa: F401 - a fixture

ASKED: list[str] = []


class Answers(BaseHTTPRequestHandler):
    """A server whose every caption costs two dollars."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        ASKED.append(self.path)
        reply = {
            "id": "1", "object": "chat.completion", "created": 0, "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": "A grey square flickers on a wall."}}],
            "usage": {"prompt_tokens": 20000, "completion_tokens": 10, "total_tokens": 20010},
        }  # fmt: skip
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_the_estimate_is_in_the_question_and_the_answer_is_the_budget(
    tmp_path: Path,
    terminal: Terminal,  # noqa: F811
    write_video,
) -> None:
    for number in range(4):
        write_video(tmp_path / "clips" / f"{number}.mp4", seed=number)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "vidcap.yaml").write_text(
        "type: vidcap_assets.Collection\nattributes:\n  source: clips\n  home: home\n  annotators:\n"
        "    - {kind: openai, name: dear, model: m, paid: true, max_concurrency: 1, max_tokens: 1,\n"
        f"       api_key: '{{{{ env.K }}}}', base_url: 'http://127.0.0.1:{server.server_port}/v1',\n"
        "       prices: {m: {input: 100, output: 0}}}\n"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VIDCAP", "DAGSTER"))}
    process = subprocess.Popen(
        [
            "setsid",
            "--ctty",
            "--wait",
            sys.executable,
            "-m",
            "vidcap_assets.cli",
            "run",
            "--captioners",
            "dear",
        ],
        cwd=tmp_path,
        stdin=terminal.device,
        stdout=terminal.device,
        stderr=terminal.device,
        env={**kept, "K": "key", "COLUMNS": "300"},
    )
    try:
        said = terminal.until("Dollars that it may spend over all runs")
        assert "dear costs money and has no budget; estimate for m: 4 clips" in said
        assert not ASKED
        terminal.press(b"5\n")
        process.wait(240)
    finally:
        process.kill()
        process.wait()
        server.shutdown()
        server.server_close()
    [file] = (tmp_path / "home" / "lake" / "captions_dear").iterdir()
    rows = pq.read_table(file, columns=["status", "error_kind", "cost_usd"]).to_pylist()
    paid = [row["cost_usd"] for row in rows if row["status"] == "ok"]
    assert 1 <= len(paid) == len(ASKED) <= 3
    assert sum(paid) <= 5
    assert [row["error_kind"] for row in rows if row["status"] != "ok"] == ["budget"] * (4 - len(paid))
