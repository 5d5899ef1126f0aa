"""How close the captioner comes to the ideal of many requests in flight at a slow server.

A local server (its own process) answers every request after 200 ms. Compared are: the arithmetic ideal, the
bare ``openai`` client with the same requests, made beforehand, and the captioner through the real loop, which
reads and compresses frames and makes every answer durable. Run it with ``python benchmarks/openai_concurrency.py``.
"""

import argparse
import asyncio
import json
import multiprocessing
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openai
import uvicorn
from upath import UPath

from resources.annotation.clip import Clip, Kind
from resources.annotation.loop import LoopOptions, annotate_shard
from resources.annotation.outcome import Status
from resources.annotation.store import ShardStore
from resources.captioners.openai import OpenAICaptioner
from resources.video.frames import Frames
from resources.video.sampling import FrameRule


def serve(listening: socket.socket, latency_s: float) -> None:
    """Answer every chat completion after ``latency_s``, for ever."""
    message = {"role": "assistant", "content": "A red ball rolls to the left."}
    content = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": "waiting",
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


def captioner(base_url: str, in_flight: int, short_side: int) -> OpenAICaptioner:
    return OpenAICaptioner(
        DrawnFrames(short_side),
        model="waiting",
        base_url=base_url,
        num_frames=1,
        prompt="Describe it.",
        max_concurrency=in_flight,
        log=lambda line: None,
    )


def through_the_loop(base_url: str, clips: list[Clip], in_flight: int, short_side: int) -> float:
    annotator = captioner(base_url, in_flight, short_side)
    with tempfile.TemporaryDirectory() as folder:
        home = UPath(folder)
        store = ShardStore(home / "lake.parquet", home / "journal", shard="s", recipe=annotator.recipe)
        started = time.perf_counter()
        report = annotate_shard(annotator, clips, store, LoopOptions(log=lambda line: None))
        seconds = time.perf_counter() - started
    annotator.close()
    assert set(report.outcomes["status"].to_pylist()) == {Status.OK}
    return len(clips) / seconds


async def bare_client(base_url: str, bodies: list[dict[str, Any]], in_flight: int) -> float:
    async with openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        upcoming = iter(bodies)

        async def worker() -> None:
            for body in upcoming:
                await client.chat.completions.create(**body)

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        return len(bodies) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
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
        base_url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        clips = [Clip(f"c{n}", Path(f"{n}.mp4"), content_id=str(n)) for n in range(options.clips)]
        sample = captioner(base_url, 1, options.short_side)
        bodies = [dict(sample.prepare(clips[0]).result().body)] * options.clips
        sample.close()
        ideal = options.in_flight / (options.latency_ms / 1000)
        rates: dict[str, list[float]] = {"bare": [], "loop": []}
        for _ in range(options.repeats):
            rates["bare"].append(asyncio.run(bare_client(base_url, bodies, options.in_flight)))
            rates["loop"].append(through_the_loop(base_url, clips, options.in_flight, options.short_side))
    finally:
        server.terminate()
        server.join()
    bare, loop = statistics.median(rates["bare"]), statistics.median(rates["loop"])
    print(f"{options.clips} clips, {options.in_flight} in flight, {options.latency_ms:g} ms at the server")
    print(f"arithmetic ideal        {ideal:8.1f} clips/s")
    print(f"bare openai client      {bare:8.1f} clips/s   {bare / ideal:6.1%} of the ideal")
    print(f"captioner in the loop   {loop:8.1f} clips/s   {loop / ideal:6.1%} of the ideal")
    print(f"captioner / bare client {loop / bare:8.3f}")


if __name__ == "__main__":
    main()
