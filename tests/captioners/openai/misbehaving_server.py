"""A real HTTP server that speaks chat completions and the Batch API, and misbehaves on script.

It reads from the pixels which clip it was shown and answers with that, so a swapped row cannot hide. Its log
is the bill: a clip is charged when a whole good answer goes out for it.
"""

import asyncio
import base64
import io
import json
import re
import socket
import socketserver
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import uvicorn
from PIL import Image

KEY = "sk-secret-0123456789abcdef"
BLOCK = 16
BITS = 12
Send = Callable[[dict[str, Any]], Awaitable[None]]


def picture(number: int) -> np.ndarray:
    """(16, 192, 3) uint8: ``number`` in black and white blocks, which JPEG does not blur."""
    bits = [(number >> bit) & 1 for bit in range(BITS)]
    row = np.repeat(np.array(bits, np.uint8) * 255, BLOCK)
    return np.repeat(np.repeat(row[None, :, None], BLOCK, 0), 3, 2)


def number_in(uri: str) -> int:
    """The number that :func:`picture` drew, from the data URI of an image."""
    image = Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1]))).convert("L")
    row = np.asarray(image)[BLOCK // 2, BLOCK // 2 :: BLOCK]
    return sum(int(value > 127) << bit for bit, value in enumerate(row))


@dataclass(frozen=True)
class Act:
    """What the server does with one attempt. Default: a good answer."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    stall_s: float = 0.0
    drop: bool = False
    message: dict[str, Any] | None = None
    finish_reason: str = "stop"
    usage: dict[str, Any] | None = field(
        default_factory=lambda: {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    )


def error(status: int, code: str | None = None, message: str = "on script", **headers: str) -> Act:
    """An error reply as OpenAI writes it."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Act(status, {"error": {"message": message, "type": "error", "code": code}}, names)


@dataclass
class MisbehavingServer:
    """``script[n]`` lists the acts for clip number ``n``, one an attempt; after them, ``default``."""

    default: Act = field(default_factory=Act)
    latency_s: Callable[[int], float] = lambda number: 0.0
    script: dict[int, list[Act]] = field(default_factory=dict)
    refuse: Callable[[dict[str, Any]], Act | None] = lambda body: None
    raw_lines: bool = False
    batch_script: list[str] = field(default_factory=list)
    received: list[tuple[float, int]] = field(default_factory=list)
    charged: Counter[int] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    most_in_flight: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._attempts: dict[int, int] = defaultdict(int)
        self._in_flight = 0
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        config = uvicorn.Config(self, log_level="critical", lifespan="off", timeout_graceful_shutdown=0)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    def __enter__(self) -> "MisbehavingServer":
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()
        self._socket.close()

    def wait_until_idle(self) -> None:
        """Wait until every request that came in has been answered and charged, or has been given up."""
        while self._in_flight:
            time.sleep(0.005)

    def attempts(self, number: int) -> int:
        return self._attempts[number]

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Send) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.keys.add(headers.get("authorization", ""))
        path = scope["path"].removeprefix("/v1")
        if path == "/chat/completions":
            await self._chat(json.loads(body), send)
        else:
            self.calls[f"{scope['method']} /{path.split('/')[1]}"] += 1
            await self._batch_call(scope["method"], path, body, headers, send)

    async def _chat(self, body: dict[str, Any], send: Send) -> None:
        number = _number_of(body)
        self._attempts[number] += 1
        self.received.append((time.monotonic(), number))
        self.bodies.append(body)
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        acts = self.script.get(number, [])
        act = acts[self._attempts[number] - 1] if self._attempts[number] <= len(acts) else self.default
        act = self.refuse(body) or act
        try:
            await asyncio.sleep(act.stall_s or self.latency_s(number))
            is_good = act.status == 200 and act.body is None and not act.drop
            await _reply(send, act, _completion(body, act) if act.body is None else act.body)
            self.charged[number] += is_good
        finally:
            self._in_flight -= 1

    async def _batch_call(
        self, method: str, path: str, body: bytes, headers: dict[str, str], send: Send
    ) -> None:
        act = self.batch_script.pop(0) if self.batch_script and method == "POST" else ""
        if act == "500":
            await _reply(send, Act(500), {"error": {"message": "before doing anything"}})
            return
        if path == "/files":
            answer: Any = {"id": self._keep(_uploaded(body, headers["content-type"])), "object": "file"}
        elif path.startswith("/files/"):
            answer = self.files[path.split("/")[2]]
        elif path == "/batches" and method == "POST":
            answer = self._create_batch(json.loads(body))
        elif path == "/batches":
            newest_first = list(reversed(self.batches.values()))
            answer = {"object": "list", "data": newest_first, "has_more": False}
        else:
            answer = self.batches[path.split("/")[2]]
        if act == "500 after":
            await _reply(send, Act(500), {"error": {"message": "after doing it"}})
            return
        await _reply(send, Act(), answer)

    def _keep(self, content: bytes) -> str:
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = content
        return file_id

    def _create_batch(self, body: dict[str, Any]) -> dict[str, Any]:
        batch = {
            **body,
            "id": f"batch_{len(self.batches)}",
            "object": "batch",
            "status": "in_progress",
            "created_at": int(time.time()),
        }
        self.batches[batch["id"]] = batch
        return batch

    def end_batches(self, status: str = "completed", share: float = 1.0) -> None:
        """Answer the first ``share`` of the requests of every running batch, in reverse order."""
        for batch in self.batches.values():
            if batch["status"] != "in_progress":
                continue
            lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
            good, bad = [], []
            for line in reversed(lines[: round(share * len(lines))]):
                number = _number_of(line["body"])
                act = (self.script.get(number) or [self.default])[0]
                answer = _completion(line["body"], act) if act.body is None else act.body
                response = {"status_code": act.status, "request_id": f"req_{number}", "body": answer}
                entry = {"custom_id": line["custom_id"], "response": response, "error": None}
                (good if act.status == 200 else bad).append(
                    json.dumps(entry, ensure_ascii=not self.raw_lines)
                )
                self.charged[number] += act.status == 200
            batch["status"] = status
            batch["output_file_id"] = self._keep("\n".join(good).encode()) if good else None
            batch["error_file_id"] = self._keep("\n".join(bad).encode()) if bad else None


class HangsUp:
    """A server that reads a request, says ``answer``, which is no HTTP, and closes the connection."""

    def __init__(self, answer: bytes) -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                length = 0
                while line := self.rfile.readline().strip():
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                self.rfile.read(length)
                self.wfile.write(answer)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


async def _reply(send: Send, act: Act, body: Any) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(content)),
        "x-request-id": "req_1",
    }
    headers |= act.headers
    await send(
        {
            "type": "http.response.start",
            "status": act.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    if act.drop:
        await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
        raise ConnectionAbortedError("dropped on script")
    await send({"type": "http.response.body", "body": content})


def _completion(body: dict[str, Any], act: Act) -> dict[str, Any]:
    images = [
        part["image_url"]["url"] for part in body["messages"][0]["content"] if part["type"] == "image_url"
    ]
    text = " ".join(str(number_in(uri)) for uri in images)
    message = {"role": "assistant", "content": f"clip {text}"} | (act.message or {})
    completion = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": f"{body['model']}-served",
        "choices": [{"index": 0, "message": message, "finish_reason": act.finish_reason}],
    }
    return completion if act.usage is None else {**completion, "usage": act.usage}


def _number_of(body: dict[str, Any]) -> int:
    parts = body["messages"][0]["content"]
    return number_in(next(part["image_url"]["url"] for part in parts if part["type"] == "image_url"))


def _uploaded(body: bytes, content_type: str) -> bytes:
    boundary = re.search(r"boundary=([^;]+)", content_type)
    assert boundary is not None
    for part in body.split(b"--" + boundary[1].encode()):
        head, _, content = part.partition(b"\r\n\r\n")
        if b"filename=" in head:
            return content.removesuffix(b"\r\n")
    raise AssertionError("no file in the upload")
