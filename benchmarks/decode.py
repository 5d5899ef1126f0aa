"""Frame reading against decord's ``get_batch``: the four PLLaVA frames of plain closed-GOP H.264 clips.

    python benchmarks/decode.py [--seconds 4 10 60] [--repeats 5] [--height 720] [--folder FOLDER]

Every way runs once per round, in turn, on the same file; printed are medians of the ratios to decord within
a round, so that a busy machine blurs but does not bend them. ``worker`` is what an annotator pays: the same
decode in an isolated child, with the pixels brought back.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from resources.annotation.clip import Kind
from resources.video import FrameReader, FrameRule, IsolatedWorkers, RuleKind
from resources.video.decode import sample_frames

FPS = 30
RULE = FrameRule(RuleKind.PLLAVA, 4)


def write_clip(path: Path, seconds: int, height: int) -> None:
    """A textured scene under a wandering camera, x264's defaults (medium, GOP 250, B-frames)."""
    import av

    width = height * 16 // 9
    scene = _texture(height * 2, width * 2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "medium", "crf": "23", "g": "250"}
        for number in range(seconds * FPS):
            t = number / FPS
            x = int(width / 2 * (1 + np.sin(t)))
            y = int(height / 2 * (1 + np.cos(0.7 * t)))
            crop = np.ascontiguousarray(scene[y : y + height, x : x + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(crop, "rgb24")))
        container.mux(stream.encode(None))


def _texture(height: int, width: int) -> np.ndarray:
    from PIL import Image

    draw = np.random.default_rng(0)
    scene = np.zeros((height, width, 3))
    for cell in (200, 80, 30, 10, 4):
        noise = draw.integers(0, 256, (height // cell + 2, width // cell + 2, 3), np.uint8)
        scene = 0.6 * scene + 0.4 * np.asarray(Image.fromarray(noise).resize((width, height)))
    return scene.astype(np.uint8)


def decord_batch(path: Path, threads: int) -> np.ndarray:
    import decord

    reader = decord.VideoReader(str(path), num_threads=threads)
    return reader.get_batch(RULE.indices(len(reader))).asnumpy()


def timed(way: Callable[[], object]) -> tuple[float, float]:
    """(wall, CPU) seconds of one call in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    way()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(path: Path, repeats: int, reader: FrameReader) -> None:
    ways: dict[str, Callable[[], object]] = {
        "decord get_batch, 1 thread": lambda: decord_batch(path, 1),
        "decord get_batch, default threads": lambda: decord_batch(path, 0),
        "vidcap auto, in process": lambda: sample_frames(path, RULE),
        "vidcap auto, worker": lambda: reader.read(path, Kind.VIDEO, RULE),
        "vidcap auto, worker, short side 336": lambda: reader.read(path, Kind.VIDEO, RULE, short_side=336),
        "vidcap backend=decord, in process": lambda: sample_frames(path, RULE, backend="decord"),
    }
    assert np.array_equal(sample_frames(path, RULE).images, decord_batch(path, 1)), "the pixels differ"
    rounds = [{name: timed(way) for name, way in ways.items()} for _ in range(repeats)]
    for name in ways:
        wall, cpu = (median(r[name][i] / r["decord get_batch, 1 thread"][i] for r in rounds) for i in (0, 1))
        seconds = median(r[name][0] for r in rounds)
        cpu_text = "    -" if "worker" in name else f"{cpu:5.2f}"
        print(f"  {name:36}  wall x{wall:5.2f}   CPU x{cpu_text}   ({seconds * 1000:5.0f} ms)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, nargs="+", default=[4, 10, 60], help="lengths of the clips")
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="keep the clips here; default: a temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, IsolatedWorkers(1) as workers:
        folder = arguments.folder or Path(temporary)
        for seconds in arguments.seconds:
            path = folder / f"h264_{arguments.height}p_{seconds}s.mp4"
            if not path.exists():
                write_clip(path, seconds, arguments.height)
            print(f"{path.name}: 4 of {seconds * FPS} frames, ratios to decord get_batch with one thread")
            measure(path, arguments.repeats, FrameReader(workers))


if __name__ == "__main__":
    main()
