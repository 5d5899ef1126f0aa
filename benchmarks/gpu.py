"""Everything that only a card can tell, in one command for a bare CUDA machine, with one report at the end.

    PYTHONPATH=. python benchmarks/gpu.py [--scratch FOLDER] [--only NAME ...] [--tokens 120]
    PYTHONPATH=. python benchmarks/gpu.py --device cpu --tiny      # the same code on a CPU, in a minute

Each part runs in a process of its own, so that one that fails or is killed takes no other with it:

``card``       torch, driver, devices, memory
``answers``    the embedded checkpoints on the card against the CPU: float32 word for word, bfloat16 by share
``llava``      LLaVA-1.6-7B in its real shape, random weights: captions/s and peak memory by batch until it is full,
               for every attention kernel that is installed
``pllava``     PLLaVA-13B likewise
``spread``     the latter over two devices, where there are two
``memory``     a batch that cannot fit is divided until it does, and every clip has its answer
``killed``     a process that holds the card is killed with -9: lease and memory are free again
``leases``     two engines that want one card: the second waits for the first, also where it is named by its UUID

The checkpoints of real shape are made once below ``--scratch`` (15 and 27 GB, bfloat16, drawn on the device). They have
no end token: every caption has ``--tokens`` tokens. Rates are the engine's alone, on prepared clips.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from resources.annotation.clip import Clip, Kind
from resources.annotation.loop import LoopOptions, annotate_shard
from resources.annotation.store import ShardStore
from resources.captioners.kinds import Pllava, Transformers
from resources.captioners.pllava import PllavaCaptioner
from resources.captioners.transformers import TransformersCaptioner
from resources.engine.device_lease import lease_devices, visible_devices
from resources.engine.model_annotator import ModelAnnotator
from resources.engine.rows import Row
from resources.storage.files import storage_path
from resources.video import FrameReader, IsolatedWorkers
from tests.demo.held_out import render_clips

VOCABULARY = 960  # of the embedded tokenizer; the real shapes have more ids, and the rest are never written
LARGEST_BATCH = 128


@dataclass(frozen=True)
class Options:
    """The command line, for every part alike."""

    scratch: Path
    device: str
    tokens: int
    tiny: bool

    @property
    def side(self) -> int:
        """Pixels of a square picture."""
        return 56 if self.tiny else 336


def _text(options: Options, large: bool) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "vocab_size": 32064,
        "max_position_embeddings": 8192,
        "bos_token_id": 1,
        "eos_token_id": None,
    }
    if options.tiny:
        return shape | {"vocab_size": 1024, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
                        "num_attention_heads": 4, "num_key_value_heads": 4}  # fmt: skip
    if large:
        return shape | {"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40,
                        "num_attention_heads": 40, "num_key_value_heads": 40}  # fmt: skip
    return shape | {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
                    "num_attention_heads": 32, "num_key_value_heads": 8}  # fmt: skip


def _vision(options: Options) -> dict[str, Any]:
    width = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    if not options.tiny:
        width = {
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
        }
    return width | {
        "image_size": options.side,
        "patch_size": 14,
        "projection_dim": 64 if options.tiny else 768,
    }


def checkpoint(options: Options, name: str) -> Path:
    """The checkpoint ``llava`` or ``pllava`` below the scratch folder, made now where it is not there."""
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaNextConfig,
        LlavaNextForConditionalGeneration,
        MistralConfig,
    )

    folder = options.scratch / f"{name}{'-tiny' if options.tiny else ''}"
    if (folder / "made").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for file in Path(Transformers.demo_model).iterdir():
        if file.suffix in {".json", ".jinja"} and file.name not in {"config.json", "generation_config.json"}:
            shutil.copy(file, folder)
    grid = [[options.side * a, options.side * b] for a, b in ((1, 2), (2, 1), (2, 2), (1, 3), (3, 1))]
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    square = {"height": options.side, "width": options.side}
    settings |= {"crop_size": square, "size": {"shortest_edge": options.side}, "image_grid_pinpoints": grid}
    if name == "pllava":
        settings |= {"image_processor_type": "CLIPImageProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    processor = json.loads((folder / "processor_config.json").read_text()) | {"patch_size": 14}
    (folder / "processor_config.json").write_text(json.dumps(processor))
    vision = CLIPVisionConfig(**_vision(options))
    if name == "pllava":
        config: Any = LlavaConfig(
            vision_config=vision, text_config=LlamaConfig(**_text(options, large=True)), image_token_index=3
        )
        kind: Any = LlavaForConditionalGeneration
    else:
        text = MistralConfig(**_text(options, large=False), sliding_window=None)
        config = LlavaNextConfig(
            vision_config=vision, text_config=text, image_token_index=3, image_grid_pinpoints=grid
        )
        kind = LlavaNextForConditionalGeneration
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("cuda" if options.device != "cpu" else "cpu"):
            model = kind(config)
    finally:
        torch.set_default_dtype(torch.float32)
    never = [0, 1, 2, 3, 4, *range(VOCABULARY, config.text_config.vocab_size)]
    model.generation_config = GenerationConfig(bos_token_id=1, pad_token_id=4, suppress_tokens=never)
    model.save_pretrained(folder)
    (folder / "made").touch()
    return folder


def entry(options: Options, name: str, **settings: Any) -> Transformers | Pllava:
    """The entry of a collection file for that checkpoint."""
    kind = Pllava if name == "pllava" else Transformers
    shown: dict[str, Any] = {"num_frames": 4, "pooling_shape": (4, 2, 2) if options.tiny else (4, 12, 12)}
    if name != "pllava":
        shown = {"num_frames": 1, "short_side": options.side}
    stated = {
        "device": options.device,
        "dtype": "auto",
        "max_new_tokens": options.tokens,
        **shown,
        **settings,
    }
    return kind(name=name, model=str(checkpoint(options, name)), **stated)


def captioner(made: Transformers | Pllava, frames: FrameReader) -> ModelAnnotator:
    """Its captioner."""
    return PllavaCaptioner(made, frames) if isinstance(made, Pllava) else TransformersCaptioner(made, frames)


@contextmanager
def clips_and_frames(count: int) -> Iterator[tuple[list[Clip], FrameReader, Path]]:
    """So many rendered clips, what reads them, and a folder for results."""
    with tempfile.TemporaryDirectory(prefix="vidcap-gpu-") as folder, IsolatedWorkers(2) as workers:
        home = Path(folder)
        truths = render_clips(home / "clips", count, seed=5)
        clips = [Clip(one.file, home / "clips" / one.file, Kind.VIDEO, content_id=one.file) for one in truths]
        yield clips, FrameReader(workers), home


def captions(annotator: ModelAnnotator, clips: Sequence[Clip], home: Path) -> list[str | None]:
    """What the loop writes, batches divided where memory runs out."""
    name = f"{annotator.recipe.annotator}-{time.monotonic_ns()}"
    store = ShardStore(
        storage_path(home / f"{name}.parquet"),
        storage_path(home / name),
        shard="gpu",
        recipe=annotator.recipe,
    )
    outcomes = annotate_shard(annotator, clips, store, LoopOptions(log=lambda line: None)).outcomes
    return [
        value if status == "ok" else f"{status} {kind}"
        for value, status, kind in zip(
            outcomes["value"].to_pylist(),
            outcomes["status"].to_pylist(),
            outcomes["error_kind"].to_pylist(),
            strict=True,
        )
    ]


def card(options: Options) -> Iterator[str]:
    """What is here."""
    yield f"torch {torch.__version__}, CUDA {torch.version.cuda}, Python {sys.version.split()[0]}"
    if options.device == "cpu":
        yield "computed on the CPU"
        return
    smi = shutil.which("nvidia-smi")
    if smi is not None:
        query = [smi, "--query-gpu=name,uuid,driver_version,memory.total", "--format=csv,noheader"]
        yield from (
            subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip().splitlines()
        )
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        yield f"cuda:{index} {torch.cuda.get_device_name(index)}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free"


def answers(options: Options) -> Iterator[str]:
    """The embedded checkpoints on the device against the CPU."""
    with clips_and_frames(16) as (clips, frames, home):
        for kind in (Transformers, Pllava):
            said = {}
            for device, dtype in (
                ("cpu", "float32"),
                (options.device, "float32"),
                (options.device, "bfloat16"),
            ):
                annotator = captioner(kind(name="embedded", model="demo", device=device, dtype=dtype), frames)
                said[device, dtype] = captions(annotator, clips, home)
                annotator.close()
            reference = said["cpu", "float32"]
            for (device, dtype), mine in said.items():
                equal = sum(a == b for a, b in zip(reference, mine, strict=True))
                yield f"{kind.__name__:12} {device:8} {dtype:9} {equal}/{len(clips)} as on the CPU in float32"


def _fill(options: Options, name: str, **settings: Any) -> Iterator[str]:
    """Rate and peak memory at batch 1, 2, 4, … until memory is full."""
    with clips_and_frames(4) as (clips, frames, _):
        annotator = captioner(entry(options, name, **settings), frames)
        rows: list[Row] = [annotator.prepare(clip) for clip in clips]
        spec = annotator.model_spec()
        batch = 1
        while batch <= (4 if options.tiny else LARGEST_BATCH):
            some = [rows[i % len(rows)] for i in range(batch)]
            try:
                annotator.engine.generate(spec, some)
                if options.device != "cpu":
                    torch.cuda.reset_peak_memory_stats()
                    torch.cuda.synchronize()
                started = time.perf_counter()
                annotator.engine.generate(spec, some)
            except torch.OutOfMemoryError:
                yield f"batch {batch:4}  memory is full"
                break
            seconds = time.perf_counter() - started
            peak = torch.cuda.max_memory_allocated() / 1e9 if options.device != "cpu" else float("nan")
            yield (
                f"batch {batch:4}  {batch / seconds:7.2f} captions/s  {1000 * seconds / options.tokens:7.1f} ms a step"
                f"  {rows[0].length} tokens in  peak {peak:5.1f} GB"
            )
            batch *= 2
        annotator.close()


def _attentions(options: Options) -> list[str]:
    import importlib.util

    there = options.device != "cpu" and importlib.util.find_spec("flash_attn") is not None
    return ["sdpa", *(["flash_attention_2"] if there else [])]


def llava(options: Options) -> Iterator[str]:
    """LLaVA-1.6-7B's shape."""
    for attention in _attentions(options):
        yield attention
        yield from _fill(options, "llava", attention=attention)


def pllava(options: Options) -> Iterator[str]:
    """PLLaVA-13B's shape."""
    for attention in _attentions(options):
        yield attention
        yield from _fill(options, "pllava", attention=attention)


def spread(options: Options) -> Iterator[str]:
    """PLLaVA-13B over two devices."""
    if options.device == "cpu" or torch.cuda.device_count() < 2:
        yield "not run: there are no two devices"
        return
    yield from _fill(options, "pllava", tensor_parallel_size=2)


def memory(options: Options) -> Iterator[str]:
    """A batch that is too large is divided by the loop, and no clip is lost."""
    if options.device == "cpu":
        yield "not run: a CPU has no memory of its own to fill"
        return
    with clips_and_frames(64) as (clips, frames, home):
        annotator = captioner(entry(options, "llava", batch_size=64), frames)
        spec = annotator.model_spec()
        annotator.engine.generate(spec, [annotator.prepare(clips[0])])
        taken = torch.empty(int(torch.cuda.mem_get_info()[0] - 4e9), dtype=torch.uint8, device="cuda")
        said = captions(annotator, clips, home)
        failed = [one for one in said if one is not None and one.startswith("failed out_of_memory")]
        yield f"64 clips with 4 GB left: {len(said) - len(failed)} answered, {len(failed)} out of memory"
        del taken
        annotator.close()


def _hold(options: Options, told: Any) -> None:
    with clips_and_frames(1) as (clips, frames, _):
        annotator = captioner(entry(options, "llava"), frames)
        annotator.engine.generate(annotator.model_spec(), [annotator.prepare(clips[0])])
        told.send("loaded")
        signal.pause()


def killed(options: Options) -> Iterator[str]:
    """A holder that is killed with -9 leaves neither a lease nor memory behind."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    checkpoint(options, "llava")
    holder = context.Process(target=_hold, args=(options, there))
    holder.start()
    there.close()
    here.recv()
    before = _free(options)
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    started = time.perf_counter()
    if options.device != "cpu":
        lease_devices(visible_devices(torch.cuda.device_count()), 1, wanted=0, timeout_s=60).release()
    yield f"the lease was free {time.perf_counter() - started:.2f} s after the kill"
    yield f"memory free before and after: {before / 1e9:.1f} and {_free(options) / 1e9:.1f} GB"


def _free(options: Options) -> float:
    return float(torch.cuda.mem_get_info()[0]) if options.device != "cpu" else float("nan")


def _take(names: list[str], told: Any) -> None:
    lease = lease_devices(names, 1, timeout_s=120)
    told.send(time.monotonic())
    time.sleep(1)
    told.send(time.monotonic())
    lease.release()


def leases(options: Options) -> Iterator[str]:
    """Two processes that want the same card hold it one after the other."""
    names = visible_devices(torch.cuda.device_count())[:1] if options.device != "cpu" else ["none"]
    smi = shutil.which("nvidia-smi")
    if options.device != "cpu" and smi is not None:
        query = [smi, "--query-gpu=uuid", "--format=csv,noheader"]
        uuids = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
        yield f"locks are named {names}; the first card's UUID is {uuids[0]}"
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(2)]
    holders = [context.Process(target=_take, args=(names, there)) for _, there in pairs]
    for holder in holders:
        holder.start()
    (_, ended), (began, _) = sorted((here.recv(), here.recv()) for here, _ in pairs)
    for holder in holders:
        holder.join()
    if began < ended:
        raise SystemExit("two processes held one card at the same time")
    yield f"the second began {began - ended:.2f} s after the first had ended"


PARTS: dict[str, Callable[[Options], Iterator[str]]] = {
    part.__name__: part for part in (card, answers, llava, pllava, spread, memory, killed, leases)
}


def _run(name: str, options: Options) -> None:
    for line in PARTS[name](options):
        print(f"  {line}", flush=True)


def main() -> None:
    """Run the parts one after the other; ends with 1 where one did not come to its end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir(), "vidcap-gpu-checkpoints"))
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--tokens", type=int, default=120)
    parser.add_argument("--tiny", action="store_true", help="small shapes, to see that everything runs")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    given = parser.parse_args()
    options = Options(given.scratch, given.device, 8 if given.tiny else given.tokens, given.tiny)
    context = multiprocessing.get_context("spawn")
    failed = []
    for name in given.only:
        print(f"{name}: {(PARTS[name].__doc__ or '').splitlines()[0]}", flush=True)
        part = context.Process(target=_run, args=(name, options))
        part.start()
        part.join()
        if part.exitcode != 0:
            failed.append(name)
            print(f"  FAILED with exit status {part.exitcode}", flush=True)
    print("all parts came to their end" if not failed else f"FAILED: {', '.join(failed)}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
