"""How close the captioner comes to the ideal of many requests in flight at a slow server.

A local server (a process of its own) answers every request after 200 ms. Compared are

* the arithmetic ideal, requests in flight / latency;
* the stock client: ``openai.AsyncOpenAI`` as it comes and ``chat.completions.create``;
* the bare client, the captioner's own ideal: the client that the captioner opens (the same transport, the same
  reading of replies as raw HTTP), sending the same bodies, made beforehand; it keeps no books and no answer;
* the captioner through the real loop: it also compresses frames, reserves and settles money in the run's
  record, checks replies, makes every answer durable in the journal and writes the shard's table.

Client and server share the machine's cores; both say what they took of them. Each way first runs unmeasured for
one round, so that imports and certificates are not counted. Run it with ``python benchmarks/openai_concurrency.py``.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import socket
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import openai
import uvicorn
from pydantic import SecretStr
from upath import UPath

from resources.annotation.clip import Clip, Kind
from resources.annotation.loop import LoopOptions, annotate_shard
from resources.annotation.outcome import Status
from resources.annotation.store import ShardStore
from resources.captioners.openai.address import Address
from resources.captioners.openai.captioner import OpenAICaptioner
from resources.captioners.openai.clients import open_client, response_type
from resources.captioners.openai.kind import OpenAI
from resources.video.frames import Frames
from resources.video.sampling import FrameRule

MODEL = "waiting"


def serve(listening: socket.socket, latency_s: float) -> None:
    """Answer every chat completion after ``latency_s``, for ever."""
    message = {"role": "assistant", "content": "A red ball rolls to the left."}
    content = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": MODEL,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109},
        }
    ).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]

    async def app(scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        while (await receive()).get("more_body"):
            pass
        await asyncio.sleep(latency_s)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off")).run(sockets=[listening])


class DrawnFrames:
    """Frames without a file: this measures requests, not decoding."""

    def __init__(self, short_side: int) -> None:
        noise = np.random.default_rng(0).integers(0, 255, (short_side // 8, short_side // 6, 3), np.uint8)
        self._image = np.repeat(np.repeat(noise, 8, 0), 8, 1)

    def read(self, path: Path, kind: Kind, rule: FrameRule, **sizes: Any) -> Frames:
        indices = rule.indices(100)
        return Frames(np.stack([self._image] * len(indices)), indices, 100, [None] * len(indices))


def captioner(
    base_url: str, in_flight: int, short_side: int, spend_file: Path | None = None
) -> OpenAICaptioner:
    return OpenAICaptioner(
        OpenAI(
            name="measured",
            model=MODEL,
            base_url=base_url,
            num_frames=1,
            prompt="Describe it.",
            max_concurrency=in_flight,
            max_cost_usd=1000.0,
            prices={MODEL: {"input": 2.5, "output": 10.0}},
        ),
        DrawnFrames(short_side),
        spend_file=spend_file,
        log=lambda line: None,
    )


def through_the_loop(base_url: str, clips: list[Clip], in_flight: int, short_side: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        home = UPath(folder)
        annotator = captioner(base_url, in_flight, short_side, Path(folder, "spend.json"))
        store = ShardStore(home / "lake.parquet", home / "journal", shard="s", recipe=annotator.recipe)
        started = time.perf_counter()
        report = annotate_shard(annotator, clips, store, LoopOptions(log=lambda line: None))
        seconds = time.perf_counter() - started
        annotator.close()
    assert set(report.outcomes["status"].to_pylist()) == {Status.OK}
    return seconds


async def stock_client(base_url: str, bodies: list[dict[str, Any]], in_flight: int) -> float:
    async with openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        return await all_answered(lambda body: client.chat.completions.create(**body), bodies, in_flight)


async def bare_client(base_url: str, bodies: list[dict[str, Any]], in_flight: int) -> float:
    reply = response_type()
    async with open_client(Address(base_url, SecretStr("none")), timeout_s=60) as client:
        return await all_answered(
            lambda body: client.post("/chat/completions", body=body, cast_to=reply), bodies, in_flight
        )


async def all_answered(
    ask: Callable[[dict[str, Any]], Awaitable[Any]], bodies: list[dict[str, Any]], in_flight: int
) -> float:
    upcoming = iter(bodies)

    async def worker() -> None:
        for body in upcoming:
            await ask(body)

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return time.perf_counter() - started


class Measured:
    """Runs of one way of asking: clips a second and the client's processor milliseconds a clip."""

    def __init__(self, run: Callable[[int], float]) -> None:
        self._run = run
        self._rates: list[float] = []
        self._cpu_ms: list[float] = []

    def once(self, clips: int) -> None:
        before = time.process_time()
        self._rates.append(clips / self._run(clips))
        self._cpu_ms.append((time.process_time() - before) / clips * 1000)

    def warm_up(self, clips: int) -> None:
        self._run(clips)

    @property
    def rate(self) -> float:
        return statistics.median(self._rates)

    def line(self, name: str, ideal: float) -> str:
        cpu = statistics.median(self._cpu_ms)
        return f"{name:<23} {self.rate:8.1f} clips/s  {self.rate / ideal:6.1%} of the ideal  {cpu:5.2f} ms CPU/clip"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clips", type=int, default=1280)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--latency-ms", type=float, default=200)
    parser.add_argument("--short-side", type=int, default=192, help="pixels of the frames that are sent")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = multiprocessing.get_context("fork").Process(
        target=serve, args=(listening, options.latency_ms / 1000)
    )
    server.start()
    try:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        clips = [Clip(f"c{n}", Path(f"{n}.mp4"), content_id=str(n)) for n in range(options.clips)]
        sample = captioner(url, 1, options.short_side)
        body = dict(sample.prepare(clips[0]).result().body)
        sample.close()
        in_flight = options.in_flight
        ways = {
            "stock openai client": Measured(
                lambda count: asyncio.run(stock_client(url, [body] * count, in_flight))
            ),
            "bare client": Measured(lambda count: asyncio.run(bare_client(url, [body] * count, in_flight))),
            "captioner in the loop": Measured(
                lambda count: through_the_loop(url, clips[:count], in_flight, options.short_side)
            ),
        }
        for way in ways.values():
            way.warm_up(min(in_flight, options.clips))
        for _ in range(options.repeats):
            for way in ways.values():
                way.once(options.clips)
    finally:
        server.terminate()
        server.join()
    asked = len(ways) * (options.clips * options.repeats + min(in_flight, options.clips))
    served = resource.getrusage(resource.RUSAGE_CHILDREN)
    server_ms = (served.ru_utime + served.ru_stime) / asked * 1000
    ideal = in_flight / (options.latency_ms / 1000)
    print(
        f"{options.clips} clips, {in_flight} in flight, {options.latency_ms:g} ms at the server, "
        f"{len(json.dumps(body)) / 1024:.0f} KiB a request, {len(os.sched_getaffinity(0))} cores"
    )
    print(f"{'arithmetic ideal':<23} {ideal:8.1f} clips/s")
    for name, way in ways.items():
        print(way.line(name, ideal))
    print(f"{'the server':<71} {server_ms:5.2f} ms CPU/clip")
    stock, bare, loop = (way.rate for way in ways.values())
    print(f"captioner / bare client  {loop / bare:6.3f}")
    print(f"captioner / stock client {loop / stock:6.3f}")


if __name__ == "__main__":
    main()
