"""Camera motion on clips of known motion: accuracy per group, and speed against Farneback flow.

    python benchmarks/camera_motion.py --seed 7 --per-group 20

Every clip is written as H.264, read back, and judged by Open-Sora's edge rules on its true transform; clips
within 0.03 of the threshold are left out of the score. The baseline is dense Farneback flow between
neighbouring frames of the same decoded frames, its median motion (and median expansion) summed up and
judged by the same rules. Prints ratios; asserts nothing.
"""

import argparse
import os
import tempfile
import time
import zlib
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
from camera_motion_clips import GROUPS, Maker, Scene, write_mp4
from numpy.typing import NDArray

from resources.camera_motion.analysis import analyse
from resources.camera_motion.classify import Label, labels_of_transform
from resources.camera_motion.motion import CameraMotion
from resources.measures.overview import SHORT_SIDE

THRESHOLD = 0.25
FRAMES = 64


@dataclass(frozen=True)
class Case:
    """One scored clip: what is true, what was said, and the CPU seconds of both methods."""

    name: str
    group: str
    truth: tuple[Label, ...]
    said: CameraMotion
    baseline: tuple[Label, ...]
    seconds: float
    baseline_seconds: float


def read_gray(path: Path) -> tuple[NDArray[np.uint8], tuple[int, int], list[float]]:
    """At most 64 evenly spaced frames (every quarter second of a long clip) with a short side of 192."""
    with av.open(os.fspath(path)) as container:
        stream = container.streams.video[0]
        size = stream.height, stream.width
        shrink = SHORT_SIDE / min(size)
        to = {"width": round(size[1] * shrink), "height": round(size[0] * shrink), "format": "gray"}
        decoded = list(container.decode(stream))
        duration = len(decoded) / float(stream.average_rate or 25)
        count = min(len(decoded), max(FRAMES, int(duration * 4)))
        chosen = [decoded[round(i)] for i in np.linspace(0, len(decoded) - 1, count)]
        frames = [frame.reformat(**to, interpolation="AREA").to_ndarray() for frame in chosen]
        return np.stack(frames), size, [float(frame.time or 0) for frame in chosen]


def farneback(frames: NDArray[np.uint8], size: tuple[int, int]) -> tuple[Label, ...]:
    """Median flow and median expansion of dense Farneback flow (Open-Sora's parameters), chained."""
    height, width = frames.shape[1:]
    ys, xs = np.mgrid[:height, :width] - np.array([height / 2, width / 2])[:, None, None]
    total = np.eye(3)
    for a, b in pairwise(frames):
        flow = cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 3, 15, 3, 5, 1.2, 0)
        dx, dy = np.median(flow[..., 0]), np.median(flow[..., 1])
        growth = np.median(((flow[..., 0] - dx) * xs + (flow[..., 1] - dy) * ys) / (xs**2 + ys**2 + 1))
        scale = 1 + growth
        total = (
            np.array(
                [
                    [scale, 0, dx + (1 - scale) * width / 2],
                    [0, scale, dy + (1 - scale) * height / 2],
                    [0, 0, 1],
                ]
            )
            @ total
        )
    zoom = np.diag([size[1] / width, size[0] / height, 1.0])
    return labels_of_transform(zoom @ total @ np.linalg.inv(zoom), size, THRESHOLD) or (Label.UNCLASSIFIED,)


def draw(seed: int, group: str, number: int) -> Scene:
    """Scene ``number`` of a group: clips too near to the threshold are drawn again."""
    make = Maker(hash_of(seed, group, number))
    while True:
        scene = GROUPS[group](make)
        if not scene.is_borderline(THRESHOLD):
            return scene


def hash_of(*parts: object) -> int:
    return zlib.crc32(repr(parts).encode())


def judge(task: tuple[str, int], seed: int, keep: Path | None, with_baseline: bool) -> Case:
    cv2.setNumThreads(1)
    group, number = task
    name = f"{group}-{seed}-{number}"
    stored = keep / f"{name}.npz" if keep else None
    if stored and stored.exists():
        data = np.load(stored)
        frames, size, clock = data["frames"], tuple(data["size"].tolist()), data["clock"].tolist()
        truth = tuple(Label(value) for value in data["truth"].tolist())
    else:
        scene = draw(seed, group, number)
        truth = scene.labels(THRESHOLD)
        with tempfile.TemporaryDirectory() as folder:
            write_mp4(Path(folder) / "clip.mp4", scene.frames(), scene.fps, scene.crf)
            frames, size, clock = read_gray(Path(folder) / "clip.mp4")
        if stored:
            np.savez(stored, frames=frames, size=size, clock=clock, truth=[str(label) for label in truth])
    began = time.process_time()
    said = analyse(frames, size, THRESHOLD, clock)
    took = time.process_time() - began
    began = time.process_time()
    baseline = farneback(frames, size) if with_baseline else ()
    return Case(name, group, truth, said, baseline, took, time.process_time() - began)


def exact(cases: list[Case], *, baseline: bool = False) -> float:
    """Share of clips with exactly the true set of labels."""
    return float(np.mean([(c.baseline if baseline else c.said.labels) == c.truth for c in cases]))


def macro_f1(cases: list[Case], *, baseline: bool = False) -> tuple[float, dict[str, float]]:
    """Mean F1 over the labels, and that of each."""
    each = {}
    for label in Label:
        said = [label in (c.baseline if baseline else c.said.labels) for c in cases]
        true = [label in c.truth for c in cases]
        hits = sum(s and t for s, t in zip(said, true, strict=True))
        if any(true):
            each[str(label)] = 2 * hits / max(sum(said) + sum(true), 1)
    return float(np.mean(list(each.values()))), each


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-group", type=int, default=12)
    parser.add_argument("--groups", default="", help="comma separated; default: all")
    parser.add_argument("--keep", type=Path, help="folder in which decoded clips are kept for the next run")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--no-baseline", action="store_true")
    args = parser.parse_args()
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
    groups = args.groups.split(",") if args.groups else list(GROUPS)
    tasks = [(group, number) for group in groups for number in range(args.per_group)]
    work = partial(judge, seed=args.seed, keep=args.keep, with_baseline=not args.no_baseline)
    with ProcessPoolExecutor(args.jobs) as pool:
        cases = list(pool.map(work, tasks, chunksize=4))
    report(cases, with_baseline=not args.no_baseline)


def report(cases: list[Case], *, with_baseline: bool) -> None:
    by_group: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_group[case.group].append(case)
    for case in cases:
        if case.said.labels != case.truth:
            said = case.said
            why = f" ({said.reason})" if said.reason else ""
            print(
                f"  miss {case.name}: true {'+'.join(case.truth)}, said {said.label}{why} conf {said.confidence:.2f}"
            )
    print(f"{'group':<22}{'clips':>6}{'exact':>8}{'farneback':>11}")
    for group, members in by_group.items():
        other = f"{exact(members, baseline=True):>11.3f}" if with_baseline else ""
        print(f"{group:<22}{len(members):>6}{exact(members):>8.3f}{other}")
    mean, each = macro_f1(cases)
    print(f"all: n {len(cases)}, exact set {exact(cases):.3f}, macro F1 {mean:.3f}")
    print("F1: " + ", ".join(f"{label} {value:.3f}" for label, value in each.items()))
    sure = [(c.said.confidence, c.said.labels == c.truth) for c in cases]
    for low, high in ((0, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        hits = [right for confidence, right in sure if low <= confidence < high]
        if hits:
            print(f"confidence {low:.1f}-{min(high, 1):.1f}: {np.mean(hits):.3f} of {len(hits)} right")
    seconds = sum(case.seconds for case in cases)
    print(f"CPU per clip: {1000 * seconds / len(cases):.0f} ms")
    if with_baseline:
        ratio = sum(case.baseline_seconds for case in cases) / seconds
        mean, _ = macro_f1(cases, baseline=True)
        print(
            f"farneback: exact set {exact(cases, baseline=True):.3f}, macro F1 {mean:.3f}; we are {ratio:.1f}x as fast"
        )


if __name__ == "__main__":
    main()
