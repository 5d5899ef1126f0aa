"""Throughput of ``raw_meta``: clips a second from headers, and the ratio to decoding every frame.

python benchmarks/probe.py [--clips 2000] [--seconds 10] [--workers 2]
"""

import argparse
import tempfile
import time
from pathlib import Path

import av
from decode import write_clip

from resources.annotation.clip import Kind
from resources.video import IsolatedWorkers
from resources.video.headers import Probe
from resources.video.probe import probe, probe_many


def cpu_seconds(function, repeats: int) -> float:
    """CPU seconds of one call, averaged."""
    started = time.process_time()
    for _ in range(repeats):
        function()
    return (time.process_time() - started) / repeats


def decode_all(path: Path) -> int:
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        return sum(1 for _ in container.decode(video=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=2000, help="copies of the clip to probe")
    parser.add_argument("--seconds", type=int, default=10, help="length of the clip")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        clip = Path(temporary) / "clip.mp4"
        write_clip(clip, arguments.seconds, 720)
        copies = [Path(temporary) / f"{number}.mp4" for number in range(arguments.clips)]
        for copy in copies:
            copy.hardlink_to(clip)
        reading = cpu_seconds(lambda: probe(clip), 50)
        decoding = cpu_seconds(lambda: decode_all(clip), 2)
        print(
            f"{arguments.seconds} s, 720p H.264: headers {reading * 1000:.1f} ms CPU, all frames {decoding:.2f} s CPU"
        )
        print(
            f"  {decoding / reading:.0f} times faster than a full decode; {1 / reading:.0f} clips/s a free core"
        )
        with IsolatedWorkers(arguments.workers) as workers:
            probe_many([(clip, Kind.VIDEO)] * 64, workers)
            started, load = time.perf_counter(), Path("/proc/loadavg").read_text().split()[0]
            found = probe_many([(copy, Kind.VIDEO) for copy in copies], workers)
            wall = time.perf_counter() - started
        assert all(isinstance(one, Probe) and one.num_frames == arguments.seconds * 30 for one in found)
        print(
            f"  {len(found) / wall:.0f} clips/s through {arguments.workers} workers (load average before: {load})"
        )


if __name__ == "__main__":
    main()
