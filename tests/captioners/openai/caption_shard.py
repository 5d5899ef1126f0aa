"""One process that captions a shard, made to be killed: ``caption_shard.py BASE_URL FOLDER COUNT IN_FLIGHT``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from numbered_clips import NumberedFrames, clips
from upath import UPath

from resources.annotation.loop import LoopOptions, annotate_shard
from resources.annotation.store import ShardStore
from resources.captioners.openai.captioner import OpenAICaptioner
from resources.captioners.openai.kind import OpenAI


def caption_shard(base_url: str, folder: Path, count: int, in_flight: int) -> int:
    """Caption ``count`` clips; how many of them were still to do."""
    captioner = OpenAICaptioner(
        OpenAI(
            name="gpt4v",
            model="test-model",
            base_url=base_url,
            num_frames=1,
            prompt="What is it?",
            max_concurrency=in_flight,
            max_cost_usd=100.0,
            prices={"test-model": {"input": 10.0, "output": 100.0}},
        ),
        NumberedFrames(),
        spend_file=folder / "spend.jsonl",
    )
    home = UPath(folder)
    store = ShardStore(home / "lake.parquet", home / "journal", shard="s", recipe=captioner.recipe)
    report = annotate_shard(captioner, clips(count), store, LoopOptions())
    captioner.close()
    return report.annotated


if __name__ == "__main__":
    caption_shard(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
