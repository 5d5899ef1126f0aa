"""How much batching brings, and how busy the model is kept: PLLaVA of random weights on rendered clips.

    python benchmarks/caption_throughput.py [--clips 64] [--tokens 32] [--device auto] [--threads N]

The checkpoint (about 80 million parameters, built in a temporary folder) is large enough that the model and not
Python decides the speed. It knows no end token, so that every caption has all its tokens. Two things are measured: the
engine alone on prepared clips, batch 16 against batch 1, and the whole annotation loop (decoding in child processes,
resizing, model, journal on disk) from an empty journal to the shard's file. Loading and the first batch of each engine
are warm-up and not counted; the loop's wait for the clips of its first batch is. On a CPU, the model shares its cores
with decoding and resizing, which the last line but one tells apart. About three minutes on two idle cores.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import (
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
)
from upath import UPath

from resources.annotation.clip import Clip
from resources.annotation.loop import LoopOptions, annotate_shard
from resources.annotation.store import ShardStore
from resources.captioners.kinds import Pllava
from resources.captioners.pllava import PllavaCaptioner
from resources.demo.clips import render_clips
from resources.engine.rows import Row
from resources.video import FrameReader, IsolatedWorkers, available_cores

FRAMES, POOLING = 4, (4, 4, 4)
LARGE, SMALL = 16, 1


def build_checkpoint(folder: Path) -> int:
    """Write a LLaVA of random weights with the embedded tokenizer and image settings; its parameter count."""
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Pllava.demo_model / name, folder)
    (folder / "preprocessor_config.json").write_text(
        '{"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 112}, '
        '"crop_size": {"height": 112, "width": 112}}'
    )
    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=384,
        intermediate_size=1536,
        num_hidden_layers=6,
        num_attention_heads=6,
        image_size=112,
        patch_size=14,
        projection_dim=384,
    )
    text = LlamaConfig(
        vocab_size=960,  # of the tokenizer; unknown ids would be empty text
        hidden_size=768,
        intermediate_size=2048,
        num_hidden_layers=10,
        num_attention_heads=12,
        max_position_embeddings=4096,
        bos_token_id=1,
        eos_token_id=None,
    )
    model = LlavaForConditionalGeneration(
        LlavaConfig(vision_config=vision, text_config=text, image_token_index=3)
    )
    model.generation_config = GenerationConfig(
        bos_token_id=1, pad_token_id=4, suppress_tokens=[0, 1, 2, 3, 4]
    )
    model.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())


def seconds_a_clip(captioner: PllavaCaptioner, rows: Sequence[Row], batch_size: int) -> float:
    """Seconds for one caption when the engine is fed prepared rows, after one batch of warm-up."""
    captioner.annotate(rows[:batch_size])
    started = time.perf_counter()
    for first in range(0, len(rows), batch_size):
        captioner.annotate(rows[first : first + batch_size])
    return (time.perf_counter() - started) / len(rows)


def run_loop(captioner: PllavaCaptioner, clips: Sequence[Clip], home: Path) -> tuple[float, float]:
    """(wall seconds of the loop, seconds of them in which the model computed); the model is loaded and warm."""
    store = ShardStore(
        UPath(home / "lake.parquet"), UPath(home / "journal"), shard="s", recipe=captioner.recipe
    )
    options = LoopOptions(prepare_workers=available_cores(), log=lambda line: None)
    report = annotate_shard(captioner, clips, store, options)
    # What random weights write may be nothing but blanks; it has been computed all the same.
    unmeasured = set(report.outcomes["error_kind"].to_pylist()) - {None, "empty_output"}
    if unmeasured:
        raise SystemExit(f"clips failed before the model: {sorted(unmeasured)}")
    return report.seconds, sum(report.outcomes["seconds"].drop_null().to_pylist())


def device_name(device: str) -> str:
    """The device as a reader of the numbers should know it."""
    if device != "cpu":
        return torch.cuda.get_device_name()
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    name = models[0].split(":")[1].strip() if models else "CPU"
    return f"{name}, {torch.get_num_threads()} torch thread(s) of {os.cpu_count()} cores"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--clips", type=int, default=64, help="clips of the loop; half of them for the engine"
    )
    parser.add_argument("--single", type=int, default=12, help="clips of batch 1")
    parser.add_argument("--tokens", type=int, default=32, help="new tokens of a caption")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--threads", type=int, help="torch threads (default: torch's own choice)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    with (
        tempfile.TemporaryDirectory(prefix="vidcap-benchmark-") as folder,
        IsolatedWorkers(available_cores()) as workers,
    ):
        measure(Path(folder), FrameReader(workers), options)


def measure(home: Path, frames: FrameReader, options: argparse.Namespace) -> None:
    """Measure and print."""
    parameters = build_checkpoint(home / "model")
    truths = render_clips(home / "clips", options.clips, seed=7)
    clips = [Clip(truth.file, home / "clips" / truth.file, content_id=truth.file) for truth in truths]
    entry = Pllava(
        model=str(home / "model"),
        num_frames=FRAMES,
        pooling_shape=POOLING,
        max_new_tokens=options.tokens,
        batch_size=LARGE,
        dtype=options.dtype,
        device=options.device,
    )
    captioner = PllavaCaptioner(entry, frames, home)
    rows = [captioner.prepare(clip) for clip in clips[: max(LARGE, options.clips // 2, options.single)]]
    large = seconds_a_clip(captioner, rows[: len(rows) // LARGE * LARGE], LARGE)
    small = seconds_a_clip(captioner, rows[: options.single], SMALL)
    length = rows[0].length
    del rows
    wall, busy = run_loop(captioner, clips, home)
    placement = captioner.engine.placement
    captioner.close()

    sizes = ", ".join(sorted({f"{truth.width}x{truth.height}" for truth in truths}))
    rate = len(clips) / wall
    numbers = f"{placement.dtype}, {placement.attention}"
    print(f"model      PLLaVA layout, {parameters / 1e6:.0f} M random parameters, {numbers}")
    print(f"input      {len(clips)} clips of {sizes}; {FRAMES} frames of 112x112, {length} tokens")
    print(f"output     {options.tokens} tokens a clip, greedy")
    print(f"device     {device_name(placement.device)}")
    print(f"engine     batch {SMALL}: {1 / small:.2f} clips/s   batch {LARGE}: {1 / large:.2f} clips/s")
    print(f"speed-up   batch {LARGE} over batch {SMALL}: {small / large:.2f}x")
    print(f"loop       batch {LARGE}: {rate:.2f} clips/s; model busy {100 * busy / wall:.1f} % of the time")
    print(f"shared     the model in the loop has {100 * large * len(clips) / busy:.0f} % of its speed alone")
    print(f"captions per device-hour: {3600 * rate:.0f} (the model alone: {3600 / large:.0f})")


if __name__ == "__main__":
    main()
