"""Train the four embedded checkpoints from nothing: ``python -m tools.train_embedded``.

Six stages, each resumable, each on scenes that are drawn fresh and never seen twice:

1. ``tower``: the CLIP tower learns to see single frames, by dense labels on throw-away heads;
2. ``llava``: projector and language model learn to say what 1 to 3 frames show (the tower is frozen);
3. ``polish``: the same once more at a lower rate, in LLaVA-NeXT's view of frames only;
4. ``pllava``: LoRA and projector learn to read 4 frames pooled over space, as PLLaVA does to a LLaVA;
5. ``tagger``: a small Llama learns to list the objects or actions of a caption;
6. ``writer``: another learns to write structured captions from what is known of a clip.

``exact`` in the printed learning curve is the share of fresh samples on which greedy decoding would give
exactly the right text.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedTokenizerFast

from tools.demo_world.world import ACTIONS, BACKGROUNDS, COLOURS, SHAPES, SURFACES
from tools.train_embedded import layout
from tools.train_embedded.training_data import (
    IGNORED,
    CaptionBatches,
    FrameBatches,
    TagBatches,
    WriterBatches,
    caption_corpus,
    tag_corpus,
    writer_corpus,
)

GRID = layout.IMAGE_SIDE // layout.PATCH_SIDE
LORA_TRAINING_ALPHA = 32
PLAIN_SHARE = 0.7  # of the steps of the stage `llava`


@dataclass(frozen=True)
class Plan:
    """How long and how fast each stage learns (full length; ``--scale`` shortens it)."""

    steps: int
    batch: int
    rate: float
    muon: bool = True
    weight_decay: float = 0.02


PLANS = {
    "tower": Plan(2000, 64, 8e-3),
    "llava": Plan(640, 24, 5e-3),
    "polish": Plan(400, 24, 3e-3),
    "pllava": Plan(120, 24, 4e-3, muon=False, weight_decay=0.0),
    "tagger": Plan(900, 16, 5e-3),
    "writer": Plan(900, 12, 4e-3),
}

Metrics = dict[str, float]
LossOf = Callable[[dict[str, Tensor]], tuple[Tensor, Metrics]]


@dataclass
class Trainer:
    """Runs one stage after the other, keeping what was learnt in `work` so that a stopped run goes on."""

    work: Path
    scale: float
    seed: int

    def run(self, stage: str, trained: nn.ModuleDict, data: Dataset[Any], loss_of: LossOf) -> None:
        """Train the parameters of `trained` that require gradients, or load them where the stage is done."""
        plan = PLANS[stage]
        steps = max(8, int(plan.steps * self.scale))
        optimizers = _optimizers(trained, plan)
        saved = self.work / f"{stage}.pt"
        first = 0
        if saved.exists():
            state = torch.load(saved, weights_only=True)
            trained.load_state_dict(state["weights"])
            first = state["step"]
            for optimizer, old in zip(optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(old)
        loader = DataLoader(
            data, batch_size=None, sampler=range(first, steps), num_workers=1, worker_init_fn=_one_thread
        )
        curve = _Curve(stage, plan.batch)
        for step, batch in enumerate(loader, start=first):
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = plan.rate * min((step + 1) / (0.04 * steps), 1 - step / steps)
            with torch.autocast("cpu", torch.bfloat16):
                loss, metrics = loss_of(batch)
            loss.backward()
            nn.utils.clip_grad_norm_([p for p in trained.parameters() if p.requires_grad], 1.0)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
            curve.add(step, float(loss.detach()), metrics)
            if (step + 1) % 100 == 0 or step + 1 == steps:
                self._save(saved, step + 1, trained, optimizers)

    def _save(
        self, path: Path, step: int, trained: nn.Module, optimizers: list[torch.optim.Optimizer]
    ) -> None:
        part = path.with_suffix(".part")
        states = [optimizer.state_dict() for optimizer in optimizers]
        torch.save({"step": step, "weights": trained.state_dict(), "optimizers": states}, part)
        part.replace(path)


class _Curve:
    """Prints running means of the metrics, so that the log is the learning curve."""

    def __init__(self, stage: str, batch: int) -> None:
        self._stage, self._batch = stage, batch
        self._rows: list[Metrics] = []
        self._cpu = time.process_time()

    def add(self, step: int, loss: float, metrics: Metrics) -> None:
        self._rows.append({"loss": loss} | metrics)
        if (step + 1) % 50 == 0:
            names = sorted({name for row in self._rows for name in row})
            means = {n: np.mean([row[n] for row in self._rows if n in row]) for n in names}
            told = " ".join(f"{name} {value:.3f}" for name, value in means.items())
            seconds = time.process_time() - self._cpu
            print(f"{self._stage} {(step + 1) * self._batch:6d} samples {seconds:4.0f} s  {told}", flush=True)
            self._rows.clear()


def _optimizers(trained: nn.ModuleDict, plan: Plan) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside transformer blocks, AdamW for all else."""
    blocks: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in trained.named_parameters():
        if parameter.requires_grad:
            inside = ".layers." in name and parameter.ndim == 2 and plan.muon
            (blocks if inside else rest).append(parameter)
    decay = plan.weight_decay
    found: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, lr=plan.rate, weight_decay=decay, betas=(0.9, 0.95))
    ]
    if blocks:
        found.append(
            torch.optim.Muon(blocks, lr=plan.rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
        )
    return found


def _one_thread(_: int) -> None:
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def train_tower(trainer: Trainer, tower: Any) -> None:
    """Stage 1. Per patch: shape, colour, fine object mask; everywhere: the frame's slots, place and radius."""
    width, grounds = layout.WIDTH, len(BACKGROUNDS) + len(SURFACES)
    sizes = {
        "patch_shape": len(SHAPES) + 1,
        "patch_colour": len(COLOURS) + 1,
        "patch_mask": (24 // GRID) ** 2,
        "shape": len(SHAPES) + 1,
        "colour": len(COLOURS) + 1,
        "background": grounds,
        "place": 3,
    }
    heads = nn.ModuleDict({name: nn.Linear(width, size) for name, size in sizes.items()})
    with torch.no_grad():
        tower.embeddings.position_embedding.weight[1:] = 0.5 * _sines(
            layout.IMAGE_SIDE // layout.PATCH_SIDE, width
        )

    def loss_of(batch: dict[str, Tensor]) -> tuple[Tensor, Metrics]:
        states = tower(batch["pixels"]).last_hidden_state[:, 1:]  # (frames, GRID * GRID, width)
        said = {name: head(states).float() for name, head in heads.items()}
        losses, metrics = [], {}
        for name in ("patch_shape", "patch_colour"):
            weight = torch.ones(sizes[name])
            weight[-1] = 0.15
            losses.append(F.cross_entropy(said[name].flatten(0, 1), batch[name].flatten(), weight))
        losses.append(4 * F.binary_cross_entropy_with_logits(said["patch_mask"], batch["patch_mask"]))
        for name in ("shape", "colour", "background"):
            target = batch[name][:, None].expand(-1, states.shape[1])
            losses.append(
                0.5 * F.cross_entropy(said[name].flatten(0, 1), target.flatten(), ignore_index=IGNORED)
            )
            metrics[name] = float((said[name].mean(1).argmax(-1) == batch[name]).float().mean())
        seen = (batch["shape"] != len(SHAPES))[:, None, None]
        miss = (said["place"] - batch["place"][:, None]).square() * seen
        losses.append(miss.mean())
        metrics["place_mse"] = float(miss.detach().mean())
        return torch.stack(losses).sum(), metrics

    trained = nn.ModuleDict({"tower": tower, "heads": heads})
    trainer.run("tower", trained, FrameBatches(trainer.seed, PLANS["tower"].batch), loss_of)


def train_llava(trainer: Trainer, model: Any, tokenizer: PreTrainedTokenizerFast) -> None:
    """Stages 2 and 3. Captions of 1 to 3 frames; the action also from a throw-away head at first."""
    action_head = nn.Linear(layout.WIDTH, len(ACTIONS))

    def loss_of(batch: dict[str, Tensor]) -> tuple[Tensor, Metrics]:
        if batch["pixels"].ndim == 5:
            seen = {"pixel_values": batch["pixels"], "image_sizes": batch["image_sizes"]}
            states = model.model(input_ids=batch["ids"], use_cache=False, **seen).last_hidden_state
        else:
            patches = model.model.vision_tower(batch["pixels"]).last_hidden_state[:, 1:]
            embedded = _embedded(model, batch["ids"], model.model.multi_modal_projector(patches))
            states = model.model.language_model(inputs_embeds=embedded, use_cache=False).last_hidden_state
        loss, metrics = _caption_loss(model.lm_head, states, batch)
        if (batch["action"] != IGNORED).any():
            last_image = int((batch["ids"][0] == model.config.image_token_id).nonzero().max()) + 1
            said = action_head(states[:, last_image - GRID * GRID : last_image].mean(1)).float()
            loss = loss + 0.5 * F.cross_entropy(said, batch["action"], ignore_index=IGNORED)
        return loss, {f"{name}_{int(batch['num_frames'])}f": value for name, value in metrics.items()}

    model.model.vision_tower.requires_grad_(False)
    trained = nn.ModuleDict({"model": model, "action_head": action_head})
    for stage in ("llava", "polish"):
        plan = PLANS[stage]
        plain_steps = int(plan.steps * trainer.scale * PLAIN_SHARE) if stage == "llava" else 0
        data = CaptionBatches(trainer.seed, stage, plan.batch, tokenizer, plain_steps)
        trainer.run(stage, trained, data, loss_of)


def train_pllava(trainer: Trainer, model: Any, tokenizer: PreTrainedTokenizerFast) -> tuple[Any, nn.Module]:
    """Stage 4. Returns the adapted language model and the tuned projector."""
    model.requires_grad_(False)
    tower, projector = model.model.vision_tower, model.model.multi_modal_projector.requires_grad_(True)
    lora = LoraConfig(r=layout.LORA_RANK, lora_alpha=LORA_TRAINING_ALPHA, target_modules=["q_proj", "v_proj"])
    adapted = get_peft_model(model.model.language_model, lora)
    frames = layout.POOLING_SHAPE[0]

    def loss_of(batch: dict[str, Tensor]) -> tuple[Tensor, Metrics]:
        patches = tower(batch["pixels"]).last_hidden_state[:, 1:]
        features = projector(patches).view(-1, frames, GRID, GRID, layout.WIDTH).permute(0, 4, 1, 2, 3)
        pooled = F.adaptive_avg_pool3d(features, layout.POOLING_SHAPE).flatten(2).transpose(1, 2)
        embedded = _embedded(model, batch["ids"], pooled)
        states = adapted(inputs_embeds=embedded, use_cache=False).last_hidden_state
        return _caption_loss(model.lm_head, states, batch)

    trained = nn.ModuleDict({"adapted": adapted, "projector": projector})
    data = CaptionBatches(trainer.seed, "pllava", PLANS["pllava"].batch, tokenizer)
    trainer.run("pllava", trained, data, loss_of)
    return adapted, projector


def train_text_model(
    stage: str, trainer: Trainer, model: Any, data: type[TagBatches] | type[WriterBatches], tokenizer: Any
) -> None:
    """Stages 5 and 6. Lists in square brackets, or structured captions, by the product's own instructions."""

    def loss_of(batch: dict[str, Tensor]) -> tuple[Tensor, Metrics]:
        states = model.model(
            input_ids=batch["ids"], attention_mask=batch["mask"], use_cache=False
        ).last_hidden_state
        return _caption_loss(model.lm_head, states, batch)

    batches = data(trainer.seed, PLANS[stage].batch, tokenizer)
    trainer.run(stage, nn.ModuleDict({"model": model}), batches, loss_of)


def _caption_loss(lm_head: nn.Module, states: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, Metrics]:
    """Cross entropy of the answers' tokens: `answers` (B, A) are the last A ids, IGNORED where padded."""
    answers = batch["answers"]
    logits = lm_head(states[:, -answers.shape[1] - 1 : -1]).float()
    loss = F.cross_entropy(logits.flatten(0, 1), answers.flatten(), ignore_index=IGNORED)
    right = (logits.argmax(-1) == answers) | (answers == IGNORED)
    return loss, {"exact": float(right.all(-1).float().mean())}


def _embedded(model: Any, ids: Tensor, features: Tensor) -> Tensor:
    """(B, L, width) embeddings of `ids`, image placeholders replaced by `features` in their order."""
    embedded = model.get_input_embeddings()(ids)
    is_image = (ids == model.config.image_token_id)[..., None].expand_as(embedded)
    return embedded.masked_scatter(is_image, features.to(embedded.dtype))


def _sines(side: int, width: int) -> Tensor:
    """(side * side, width) sine and cosine codes of rows and columns."""
    rates = 2.0 ** torch.linspace(0, 3, width // 4)
    angles = torch.arange(side)[:, None] / side * torch.pi * rates
    line = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows, columns = line[:, None].expand(-1, side, -1), line[None].expand(side, -1, -1)
    return torch.cat([rows, columns], dim=-1).reshape(side * side, width)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=layout.CHECKPOINTS, help="where the checkpoints go")
    parser.add_argument(
        "--work", type=Path, default=Path("build/train-embedded"), help="state to resume from"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full number of steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="threads of the model, beside one that draws")
    return parser.parse_args()


def _stages(options: argparse.Namespace) -> Iterator[str]:
    """Do one stage after the other, naming what each wrote."""
    trainer = Trainer(options.work, options.scale, options.seed)
    tokenizer = layout.llava_tokenizer(caption_corpus(options.seed), 1024)
    torch.manual_seed(options.seed)
    model = layout.new_llava(tokenizer)
    train_tower(trainer, model.model.vision_tower)
    train_llava(trainer, model, tokenizer)
    layout.save_llava(options.out / "tiny-llava-next", model, tokenizer)
    yield "tiny-llava-next"
    torch.manual_seed(options.seed)
    adapted, projector = train_pllava(trainer, model, tokenizer)
    scale = LORA_TRAINING_ALPHA / layout.LORA_RANK
    layout.save_pllava(options.out / "tiny-pllava", model, adapted, projector, scale, tokenizer)
    yield "tiny-pllava"
    for stage, corpus, data, layers, width in (
        ("tagger", tag_corpus, TagBatches, 3, 96),
        ("writer", writer_corpus, WriterBatches, 4, 128),
    ):
        tokenizer = layout.text_tokenizer(corpus(options.seed), 1024)
        torch.manual_seed(options.seed)
        text_model = layout.new_text_model(tokenizer, layers, width)
        train_text_model(stage, trainer, text_model, data, tokenizer)
        layout.save_text_model(options.out / f"tiny-{stage}", text_model, tokenizer)
        yield f"tiny-{stage}"


def main() -> None:
    """Train what is not yet trained and write the checkpoints."""
    options = _arguments()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    for name in _stages(options):
        print(f"{name}: {options.out / name} ({time.monotonic() - start:.0f} s since the start)", flush=True)


if __name__ == "__main__":
    main()
