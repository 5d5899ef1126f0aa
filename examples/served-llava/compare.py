"""Caption a few rendered clips in process and by a server that runs the same checkpoint, and compare.

Exits with 1 where a caption differs. Run from the folder in which the server was started.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip, Kind
from resources.annotation.loop import LoopOptions, annotate_shard
from resources.annotation.store import ShardStore
from resources.captioners.kinds import Transformers
from resources.captioners.openai.captioner import OpenAICaptioner
from resources.captioners.openai.kind import OpenAI
from resources.captioners.transformers import TransformersCaptioner
from resources.demo.source import CLIPS
from resources.storage.files import storage_path
from resources.video import FrameReader, IsolatedWorkers

EMBEDDED = "resources/demo/checkpoints/tiny-llava-next"
PROMPT = "auto"
SHORT_SIDE = 336


@dataclass(frozen=True)
class Compared:
    """The captions of one clip."""

    clip_id: str
    in_process: str | None
    served: str | None


def compare(base_url: str, model: str, count: int, num_frames: int) -> list[Compared]:
    """Caption ``count`` clips both ways."""
    with tempfile.TemporaryDirectory() as folder, IsolatedWorkers(1) as workers:
        home, frames = Path(folder), FrameReader(workers)
        files = sorted(CLIPS.glob("shapes/*.mp4"))[:count]
        clips = [Clip(file.stem, file, Kind.VIDEO, content_id=file.stem) for file in files]
        entry = Transformers(
            name="llava",
            model=model,
            num_frames=num_frames,
            short_side=SHORT_SIDE,
            prompt=PROMPT,
            dtype="float32",
            device="cpu",
        )
        local = TransformersCaptioner(entry, frames)
        served = OpenAICaptioner(
            OpenAI(
                name="served",
                model=model,
                base_url=base_url,
                num_frames=num_frames,
                short_side=SHORT_SIDE,
                prompt=PROMPT,
                image_format="png",
                max_concurrency=2,
                timeout_s=300,
            ),
            frames,
        )
        values = [captions(annotator, clips, home) for annotator in (local, served)]
    return [Compared(clip.id, *pair) for clip, pair in zip(clips, zip(*values, strict=True), strict=True)]


def captions(annotator: Annotator, clips: Sequence[Clip], home: Path) -> list[str | None]:
    """The caption of each clip, through the annotation loop."""
    name = annotator.recipe.annotator
    store = ShardStore(
        storage_path(home / f"{name}.parquet"),
        storage_path(home / name),
        shard="compared",
        recipe=annotator.recipe,
    )
    try:
        return annotate_shard(annotator, clips, store, LoopOptions()).outcomes["value"].to_pylist()
    finally:
        annotator.close()


def main() -> None:
    """Compare, print, and exit with 1 where a caption differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", default="http://127.0.0.1:8000/v1")
    parser.add_argument("--model", default=EMBEDDED, help="the folder, as the server was given it")
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--num-frames", type=int, default=3)
    options = parser.parse_args()
    results = compare(options.base_url, options.model, options.clips, options.num_frames)
    for result in results:
        print(f"{result.clip_id}\n  in process  {result.in_process}\n  served      {result.served}")
    equal = sum(result.in_process == result.served for result in results)
    print(f"{equal} of {len(results)} captions are equal")
    sys.exit(equal != len(results))


if __name__ == "__main__":
    main()
