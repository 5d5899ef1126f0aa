"""How often the embedded checkpoints are right on clips they never saw, through the product's own captioners.

    PYTHONPATH=. python benchmarks/embedded_quality.py --clips 400 --dtypes float32 bfloat16

Renders fresh clips of the demo world as H.264 files, captions them from the files, and prints the share of
right answers slot by slot with 95 % Wilson intervals. A tagger's answer is right if the list is exactly that
of the ground truth. One frame cannot show motion: its captions leave it out, and the slot is counted as wrong
wherever something moves. Asserts nothing.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from math import sqrt
from pathlib import Path

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip, Kind
from resources.annotation.outcome import Answer
from resources.captioners.kinds import Pllava, Transformers
from resources.captioners.pllava import PllavaCaptioner
from resources.captioners.transformers import TransformersCaptioner
from resources.tagger.kind import Tags
from resources.tagger.question import TagQuestion
from resources.text_model.local import LocalAnswers, TextModel
from resources.video import FrameReader, IsolatedWorkers
from tests.demo.held_out import agreement, parse, render_clips
from tools.demo_world.clips import Truth
from tools.demo_world.world import Slots

SLOTS = ("shape", "colour", "size", "action", "background")


def answers_of(annotator: Annotator, clips: list[Clip]) -> Iterator[str]:
    """What the annotator says of each clip; its error where it fails."""
    for start in range(0, len(clips), annotator.batch_size):
        batch = [annotator.prepare(clip) for clip in clips[start : start + annotator.batch_size]]
        for answer in annotator.annotate(batch):
            yield answer.value if isinstance(answer, Answer) else str(answer)


def interval(right: int, count: int) -> str:
    """Share right with its 95 % Wilson interval, in percent."""
    share, z = right / count, 1.96
    middle, spread = (
        share + z * z / (2 * count),
        z * sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2),
    )
    low, high = ((middle + sign * spread) / (1 + z * z / count) for sign in (-1, 1))
    return f"{100 * share:5.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def score_captions(name: str, said: Iterable[str], expected: list[Slots], show: int) -> None:
    """Print one row of the table, and the first wrong captions."""
    start, right, wrong = time.perf_counter(), Counter[str](), []
    for caption, truth in zip(said, expected, strict=True):
        agrees = agreement(truth, parse(caption))
        right.update(slot for slot, same in agrees.items() if same)
        right["all slots"] += all(agrees.values())
        if not all(agrees.values()):
            wrong.append(f"    said  {caption}\n    truth {truth.caption}")
    seconds = (time.perf_counter() - start) / len(expected)
    slots = " | ".join(f"{100 * right[slot] / len(expected):5.1f}" for slot in SLOTS)
    print(f"| {name:34} | {slots} | {interval(right['all slots'], len(expected))} | {1000 * seconds:.0f} |")
    print("\n".join(wrong[:show]), end="\n" if wrong[:show] else "", flush=True)


def score_tags(kind: str, dtype: str, expected: list[Slots], show: int) -> None:
    """Print how many lists are exactly right, read from the true captions."""
    model = TextModel(Tags.model_validate({"model": "demo", "dtype": dtype}))
    tagger = LocalAnswers(TagQuestion("tags", kind), model)
    clips = [Clip(str(i), Path("-"), text=slots.caption) for i, slots in enumerate(expected)]
    wanted = [slots.objects if kind == "objects" else slots.actions for slots in expected]
    said = [json.loads(value) for value in answers_of(tagger, clips)]
    wrong = [pair for pair in zip(said, wanted, expected, strict=True) if pair[0] != pair[1]]
    print(f"| tags {kind:7} {dtype:8} | {interval(len(clips) - len(wrong), len(clips))} |")
    for got, want, slots in wrong[:show]:
        print(f"    {slots.caption}  said {got}, truth {want}")
    model.close()


def main() -> None:
    """Render, caption, tag, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--seed", type=int, default=777_001, help="decides the clips")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--show", type=int, default=0, help="wrong captions to print for each captioner")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, IsolatedWorkers(1, timeout_s=120.0) as workers:
        truths = render_clips(Path(folder), options.clips, options.seed)
        clips = [_clip(Path(folder), truth) for truth in truths]
        moving = [truth.slots for truth in truths if truth.slots]
        reader = FrameReader(workers)
        print(f"{len(clips)} clips, seed {options.seed}; % right\n")
        print(f"| captioner | {' | '.join(SLOTS)} | all slots [95 %] | ms/clip |\n|{'---|' * 8}")
        for dtype in options.dtypes:
            model = {"model": "demo", "dtype": dtype}
            frames = {
                count: Transformers.model_validate(model | {"name": "llava", "num_frames": count})
                for count in (1, 3)
            }
            for name, captioner in (
                ("PLLaVA, 4 frames pooled", PllavaCaptioner(Pllava.model_validate(model), reader)),
                ("LLaVA-NeXT, 3 frames", TransformersCaptioner(frames[3], reader)),
                ("LLaVA-NeXT, 1 frame", TransformersCaptioner(frames[1], reader)),
            ):
                said = (
                    list(answers_of(captioner, clips)) if "1 frame" in name else answers_of(captioner, clips)
                )
                score_captions(f"{name}, {dtype}", said, moving, options.show)
                if "1 frame" in name:
                    seen = [truth.still_slots for truth in truths if truth.still_slots]
                    score_captions(f"{name}, but the action, {dtype}", said, seen, options.show)
                captioner.close()
        print("\n| tagger | exact [95 %] |\n|---|---|")
        for dtype in options.dtypes:
            for kind in ("objects", "actions"):
                score_tags(kind, dtype, moving, options.show)


def _clip(folder: Path, truth: Truth) -> Clip:
    return Clip(truth.file, folder / truth.file, Kind.VIDEO, num_frames=truth.num_frames, fps=truth.fps)


if __name__ == "__main__":
    main()
