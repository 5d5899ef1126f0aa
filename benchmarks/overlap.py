"""Does decoding hide behind the model? A captioner that only waits, over real decoding in real worker processes.

Prints the wall time of the loop as a ratio to the larger of its two parts, each measured alone in the same
run: the model's waiting, and the decoding of the same clips by the same number of workers. 1.00 is perfect
overlap; the bar is 1.05.

    PYTHONPATH=. python benchmarks/overlap.py [--clips 200] [--workers 2]
"""

import argparse
import tempfile
import time
from pathlib import Path

import av
import numpy as np

from resources.annotation.clip import Clip, Kind
from resources.annotation.loop import LoopOptions, annotate_shard
from resources.annotation.prefetch import prepare_ahead
from resources.lake.lake import Lake
from resources.video import FrameReader, FrameRule, IsolatedWorkers
from tests.annotation.echo import WaitingAnnotator

BATCH = 8


def render(path: Path, seed: int, seconds: int = 2) -> Path:
    noise = np.random.default_rng(seed).integers(0, 255, (90, 160, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for shift in range(24 * seconds):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(noise, 8 * shift, axis=1))))
        container.mux(stream.encode())
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    rule = FrameRule.for_captioning(4)
    with tempfile.TemporaryDirectory() as folder, IsolatedWorkers(arguments.workers) as workers:
        files = [render(Path(folder, f"{seed}.mp4"), seed) for seed in range(8)]
        clips = [
            Clip(str(number), files[number % len(files)], content_id=str(number))
            for number in range(arguments.clips)
        ]
        frames = FrameReader(workers)

        def decode(clip: Clip) -> None:
            frames.read(clip.path, Kind.VIDEO, rule)

        def decode_all() -> float:
            started = time.monotonic()
            for _ in prepare_ahead(decode, clips, workers=arguments.workers, lookahead=2 * BATCH):
                pass
            return time.monotonic() - started

        decode_all()
        print(
            f"{arguments.clips} clips of 640x360, 48 frames, batches of {BATCH}, {arguments.workers} decoding workers"
        )
        decoding = decode_all()
        for share in (0.5, 1.0, 2.0, 4.0):
            batch_seconds = share * decoding * BATCH / len(clips)
            annotator = WaitingAnnotator(batch_seconds, BATCH, prepare=decode)
            lake = Lake(Path(folder, f"lake-{share}"))
            started = time.monotonic()
            report = annotate_shard(
                annotator,
                clips,
                lake.store(annotator.recipe, "shard-00000"),
                LoopOptions(prepare_workers=arguments.workers, log=lambda line: None),
            )
            wall = time.monotonic() - started
            alone = decode_all()
            ideal = max(report.model_seconds, alone)
            print(
                f"model / decoding = {share:3.1f}: model {report.model_seconds:6.2f} s, decoding alone {alone:6.2f} s, "
                f"loop {wall:6.2f} s, ratio to the larger {wall / ideal:.3f}"
            )


if __name__ == "__main__":
    main()
