"""What the embedded checkpoints learn from: batches drawn from (seed, stage, step), so a run can resume."""

import json
from dataclasses import dataclass
from enum import StrEnum
from math import prod
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerFast

from resources.annotation.clip import Clip
from resources.captioners.prompts import TEXT_SLOT, presets
from resources.structured.kind import Structured
from resources.tagger.prompts import TAG_PROMPTS
from resources.text_model.question import Question
from resources.video.sampling import FrameRule, RuleKind
from tools.demo_world.scene import random_scene
from tools.demo_world.world import ACTIONS, BACKGROUNDS, COLOURS, SHAPES, SURFACES, Slots
from tools.train_embedded.layout import IMAGE_SIDE, PATCH_SIDE, POOLING_SHAPE

IGNORED = -100
PLLAVA_QUERY = "Describe the video in details."
SHORT_PROMPTS = (
    "",
    "Describe the video.",
    "Describe the video in one sentence.",
    "Describe this image.",
    "What happens in the video?",
    "What do you see?",
    "Caption this clip.",
    "Please write a caption for the video.",
)
_GRID = IMAGE_SIDE // PATCH_SIDE
_ASPECTS = ((16, 9), (9, 16), (1, 1), (4, 3))
_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
_STAGES = {"tower": 1, "llava": 2, "pllava": 3, "tagger": 4, "polish": 5, "writer": 6}
_WORDS = (
    "the a of in this that shows video image picture what who where how describe tell write say list "
    "name please give me us short long detailed caption clip frame frames scene object objects action "
    "actions people colour light camera style not never only one two three sentence sentences words "
    "do does is are was look see start end begin first last you an assistant careful precise and or "
    "but with without from to by for on "
)


def normalised(views: list[Image.Image]) -> Tensor:
    """(V, 3, side, side) float32 as CLIP's image processor gives them."""
    stacked = np.stack([np.asarray(view, np.float32) for view in views]) / 255
    return torch.from_numpy(((stacked - _MEAN) / _STD).transpose(0, 3, 1, 2).copy())


def squashed(frame: Image.Image) -> Image.Image:
    """LLaVA-NeXT's base image: the whole frame in the tower's square."""
    return frame.resize((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.BICUBIC)


def letterboxed(frame: Image.Image) -> Image.Image:
    """LLaVA-NeXT's tile: the whole frame in its own aspect ratio on a black square."""
    scale = IMAGE_SIDE / max(frame.size)
    if frame.width > frame.height:
        size = IMAGE_SIDE, min(int(np.ceil(frame.height * scale)), IMAGE_SIDE)
    else:
        size = min(int(np.ceil(frame.width * scale)), IMAGE_SIDE), IMAGE_SIDE
    canvas = Image.new(frame.mode, (IMAGE_SIDE, IMAGE_SIDE))
    corner = (IMAGE_SIDE - size[0]) // 2, (IMAGE_SIDE - size[1]) // 2
    canvas.paste(frame.resize(size, Image.Resampling.BICUBIC), corner)
    return canvas


def cropped(frame: Image.Image) -> Image.Image:
    """CLIP's view: the shorter side to the tower's, then the square in the middle."""
    scale = IMAGE_SIDE / min(frame.size)
    size = max(IMAGE_SIDE, int(frame.width * scale)), max(IMAGE_SIDE, int(frame.height * scale))
    left, top = (size[0] - IMAGE_SIDE) // 2, (size[1] - IMAGE_SIDE) // 2
    whole = frame.resize(size, Image.Resampling.BICUBIC)
    return whole.crop((left, top, left + IMAGE_SIDE, top + IMAGE_SIDE))


@dataclass(frozen=True)
class FrameBatches(Dataset[dict[str, Tensor]]):
    """Single frames in one of the three views, with dense labels for the vision tower."""

    seed: int
    count: int

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((self.seed, _STAGES["tower"], step))
        rows = [self._frame(rng) for _ in range(self.count)]
        batch = {
            name: torch.tensor(np.stack([row[name] for row in rows])) for name in rows[0] if name != "view"
        }
        return batch | {"pixels": normalised([Image.fromarray(row["view"]) for row in rows])}

    def _frame(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        scene = random_scene(rng, surface=bool(rng.random() < 0.04))
        height, width = _frame_size(rng, _ASPECTS[rng.integers(len(_ASPECTS))])
        t = float(rng.random())
        view = _VIEWS[rng.integers(len(_VIEWS))]
        mask = np.asarray(view(Image.fromarray(scene.mask(t, height, width))), np.float32) / 255
        fine = mask.reshape(24, 3, 24, 3).mean((1, 3))
        inside = 24 // _GRID
        cells = fine.reshape(_GRID, inside, _GRID, inside).transpose(0, 2, 1, 3).reshape(_GRID**2, inside**2)
        covered = cells.mean(1) > 0.06
        shape, colour = len(SHAPES), len(COLOURS)
        ground = len(BACKGROUNDS) + (
            SURFACES.index(scene.slots.background) if scene.slots.shape is None else 0
        )
        place = np.zeros(3, np.float32)
        if scene.slots.shape and scene.slots.colour:
            shape, colour = SHAPES.index(scene.slots.shape), list(COLOURS).index(scene.slots.colour)
            ground = list(BACKGROUNDS).index(scene.slots.background)
            rows, columns = (mask.sum(axis) / mask.sum() for axis in (1, 0))
            middle = np.arange(IMAGE_SIDE) / IMAGE_SIDE * 6 - 3
            place = np.array([columns @ middle, rows @ middle, scene.at(t)[2] * 12 - 2], np.float32)
        return {
            "view": np.asarray(view(_compressed(scene.draw(t, height, width), rng))),
            "patch_shape": np.where(covered, shape, len(SHAPES)),
            "patch_colour": np.where(covered, colour, len(COLOURS)),
            "patch_mask": cells,
            "shape": np.array(shape),
            "colour": np.array(colour),
            "background": np.array(ground),
            "place": place,
        }


class View(StrEnum):
    """How frames become image tokens."""

    PLAIN = "plain"  # LLaVA-1.5: the squashed frame alone, half the tokens; a quick school for NEXT
    NEXT = "next"  # LLaVA-NeXT: the squashed frame, then the letterboxed one without its padding
    POOLED = "pooled"  # PLLaVA: centre crops of 4 frames, pooled


@dataclass(frozen=True)
class CaptionBatches(Dataset[dict[str, Tensor]]):
    """Clips of one aspect ratio under one prompt; `plain_steps` batches in the plain view come first."""

    seed: int
    stage: str
    count: int
    tokenizer: PreTrainedTokenizerFast
    plain_steps: int = 0

    @property
    def pooled(self) -> bool:
        """Is this PLLaVA's way of seeing?"""
        return self.stage == "pllava"

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((self.seed, _STAGES[self.stage], step))
        view = View.POOLED if self.pooled else View.PLAIN if step < self.plain_steps else View.NEXT
        num_frames = POOLING_SHAPE[0] if self.pooled else int(rng.choice((1, 2, 3), p=(0.15, 0.1, 0.75)))
        aspect = _ASPECTS[rng.choice(len(_ASPECTS), p=(0.3, 0.3, 0.3, 0.1))]
        height, width = _frame_size(rng, aspect)
        scenes = [random_scene(rng, surface=bool(rng.random() < 0.1)) for _ in range(self.count)]
        views: list[Image.Image] = []
        for scene in scenes:
            for t in _times(num_frames, self.pooled, rng):
                frame = _compressed(scene.draw(t, height, width), rng)
                views += [make(frame) for make in _MAKERS[view]]
        pixels = normalised(views)
        each = {
            View.PLAIN: _GRID**2,
            View.NEXT: tokens_of_frame(height, width),
            View.POOLED: prod(POOLING_SHAPE),
        }
        text = self._pllava_text(rng) if self.pooled else self._llava_text(rng, num_frames, view)
        slots = [scene.still_slots if num_frames == 1 else scene.slots for scene in scenes]
        told = _with_answers(
            self.tokenizer, self._ids(text, each[view]), [f" {seen.caption}" for seen in slots]
        )
        return told | {
            "pixels": pixels.view(-1, 2, *pixels.shape[1:]) if view is View.NEXT else pixels,
            "image_sizes": torch.tensor([[height, width]] * (self.count * num_frames)),
            "action": torch.tensor([ACTIONS.index(s.action) if s.action else IGNORED for s in slots]),
            "num_frames": torch.tensor(num_frames),
        }

    def _llava_text(self, rng: np.random.Generator, num_frames: int, view: View) -> str:
        long = rng.random() < (0.1 if view is View.PLAIN else 0.35)
        prompt = _long_prompt(rng) if long else _short_prompt(rng)
        parts = [{"type": "image"}] * num_frames + [{"type": "text", "text": prompt}]
        turns = [{"role": "user", "content": parts}]
        return str(self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False))

    def _pllava_text(self, rng: np.random.Generator) -> str:
        dice = rng.random()
        system = (
            presets()["pllava"].text
            if dice < 0.25
            else _short_prompt(rng)
            if dice < 0.93
            else _long_prompt(rng)
        )
        query = PLLAVA_QUERY if rng.random() < 0.7 else _short_prompt(rng)
        return f"{system} USER:<image> {query} ASSISTANT:"

    def _ids(self, text: str, each: int) -> list[int]:
        """Token ids with `each` placeholders for an image."""
        image = self.tokenizer.convert_tokens_to_ids("<image>")
        ids = self.tokenizer(text).input_ids
        return [same for token in ids for same in [token] * (each if token == image else 1)]


@dataclass(frozen=True)
class TagBatches(Dataset[dict[str, Tensor]]):
    """Captions under one instruction, answered by the list of their objects or actions."""

    seed: int
    count: int
    tokenizer: PreTrainedTokenizerFast

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((self.seed, _STAGES["tagger"], step))
        prompts: list[list[int]] = []
        answers: list[str] = []
        wordings = {kind: _instruction(kind, rng) for kind in TAG_PROMPTS}
        for _ in range(self.count):
            scene = random_scene(rng, surface=bool(rng.random() < 0.15))
            slots = scene.still_slots if rng.random() < 0.15 else scene.slots
            kind = str(rng.choice(list(TAG_PROMPTS)))
            turns = [
                {"role": "system", "content": wordings[kind]},
                {"role": "user", "content": slots.caption},
            ]
            text = self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
            prompts.append(self.tokenizer(str(text), add_special_tokens=False).input_ids)
            tags = slots.objects if kind == "objects" else slots.actions
            answers.append(f"[{', '.join(tags)}]")
        return _with_answers(self.tokenizer, prompts, answers)


@dataclass(frozen=True)
class WriterBatches(Dataset[dict[str, Tensor]]):
    """What is known of clips, each answered by its structured caption, under the product's own task and examples."""

    seed: int
    count: int
    tokenizer: PreTrainedTokenizerFast

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((self.seed, _STAGES["writer"], step))
        question = writer_question()
        prompts: list[list[int]] = []
        answers: list[str] = []
        for _ in range(self.count):
            scene = random_scene(rng, surface=bool(rng.random() < 0.2))
            slots = scene.still_slots if rng.random() < 0.15 else scene.slots
            known, motion = known_of(slots, rng)
            turns = question.turns(Clip("-", Path("-"), answers=known))
            text = self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
            prompts.append(self.tokenizer(str(text), add_special_tokens=False).input_ids)
            answers.append(json.dumps(structured(slots, motion), separators=(",", ":")))
        return _with_answers(self.tokenizer, prompts, answers)


def writer_question() -> Question:
    """The question of an entry with nothing but its kind."""
    return Structured.model_validate({"model": "demo"}).questions()[0]


def structured(slots: Slots, motion: str | None) -> dict[str, str]:
    """The right structured caption of a clip with these slots and this camera motion."""
    moves = [_CAMERA[label] for label in (motion or "unclassified").split("+") if label in _CAMERA]
    camera = f"The camera {' and '.join(moves)}." if moves else ""
    if slots.shape is None:
        thing = short = environment = f"a textured {slots.background} surface"
    else:
        thing = with_article(f"{slots.size or ''} {slots.colour} {slots.shape}".strip())
        short = with_article(f"{slots.colour} {slots.shape} {slots.action or ''}".strip())
        environment = f"a {slots.background} background"
    return {
        "short": f"{short[0].upper()}{short[1:]}.",
        "medium": slots.caption,
        "long": f"{slots.caption} {camera}".strip(),
        "subject": thing,
        "environment": environment,
        "motion": slots.action or "",
        "camera": camera,
        "style": "",
    }


def with_article(phrase: str) -> str:
    """The phrase with `a` or `an` before it."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def known_of(slots: Slots, rng: np.random.Generator) -> tuple[dict[str, str], str | None]:
    """What captioners, tagger and camera motion say of a clip, as an annotator is told it; and that motion."""
    names = rng.permutation(["pllava", "llava", "gpt4v", "qwen"])[: rng.integers(1, 4)]
    known = {f"captions_{name}": slots.caption for name in names}
    for name in list(known)[1:]:
        if rng.random() < 0.25:  # another captioner is wrong
            known[name] = random_scene(rng, surface=bool(rng.random() < 0.2)).slots.caption
    motion = None
    if rng.random() < 0.85:
        labels = rng.permutation(list(_CAMERA)[:-1])[: 1 + (rng.random() < 0.1)].tolist()
        motion = "+".join(labels) if rng.random() < 0.7 else str(rng.choice(("static", "unclassified")))
        known["camera_motion"] = motion
    if rng.random() < 0.8:
        known |= {"tags_objects": json.dumps(slots.objects), "tags_actions": json.dumps(slots.actions)}
    return known, motion


_CAMERA = {
    "pan_right": "pans right",
    "pan_left": "pans left",
    "tilt_up": "tilts up",
    "tilt_down": "tilts down",
    "zoom_in": "zooms in",
    "zoom_out": "zooms out",
    "static": "is static",
}


def writer_corpus(seed: int) -> list[str]:
    """Text for the writer's tokenizer: its whole prompt, and conversations enough to make words whole."""
    rng = np.random.default_rng((seed, 6))
    question = writer_question()
    texts = ["system user assistant " * 3]
    for i in range(3000):
        slots = random_scene(rng, surface=i % 8 == 0).slots
        known, motion = known_of(slots, rng)
        turns = question.turns(Clip("-", Path("-"), answers=known))
        texts += [turn["content"] for turn in (turns if i < 40 else turns[-1:])]
        texts.append(json.dumps(structured(slots, motion), separators=(",", ":")))
    return texts


def caption_corpus(seed: int) -> list[str]:
    """Text for the captioner's tokenizer: the product's prompts, and captions enough to make words whole."""
    rng = np.random.default_rng((seed, 0))
    prompts = [
        *(prompt.text for prompt in presets().values()),
        *SHORT_PROMPTS,
        PLLAVA_QUERY,
        "USER: ASSISTANT:",
    ]
    return prompts * 3 + [f" {random_scene(rng, surface=i % 10 == 0).slots.caption}" for i in range(4000)]


def tag_corpus(seed: int) -> list[str]:
    """Text for the tagger's tokenizer."""
    return [*TAG_PROMPTS.values(), "system user assistant " * 3, _WORDS] * 3 + caption_corpus(seed)


def tokens_of_frame(height: int, width: int) -> int:
    """How many image tokens LLaVA-NeXT makes of a frame: base image, and the tile without its padding."""
    grid = rows = columns = _GRID
    if width / height > 1:
        kept = int(round(height * (grid / width), 7))
        rows -= 2 * ((grid - kept) // 2)
    else:
        kept = int(round(width * (grid / height), 7))
        columns -= 2 * ((grid - kept) // 2)
    return grid * grid + rows * (columns + 1)


_VIEWS = (cropped, squashed, letterboxed)
_MAKERS = {View.PLAIN: (squashed,), View.NEXT: (squashed, letterboxed), View.POOLED: (cropped,)}


def _with_answers(
    tokenizer: PreTrainedTokenizerFast, prompt: list[int] | list[list[int]], answers: list[str]
) -> dict[str, Tensor]:
    """`ids` and `mask` (B, P + A): prompts padded on the left, answers on the right; `answers` (B, A)."""
    end = tokenizer.eos_token_id
    told = [[*tokenizer(answer, add_special_tokens=False).input_ids, end] for answer in answers]
    longest = max(map(len, told))
    prompts = prompt if isinstance(prompt[0], list) else [prompt] * len(told)
    widest = max(len(ids) for ids in prompts)
    ids = [
        [end] * (widest - len(before)) + before + answer + [end] * (longest - len(answer))
        for before, answer in zip(prompts, told, strict=True)
    ]
    labels = [answer + [IGNORED] * (longest - len(answer)) for answer in told]
    mask = [[0] * (widest - len(before)) + [1] * (len(before) + longest) for before in prompts]
    return {"ids": torch.tensor(ids), "mask": torch.tensor(mask), "answers": torch.tensor(labels)}


def _frame_size(rng: np.random.Generator, aspect: tuple[int, int]) -> tuple[int, int]:
    """(height, width), even."""
    short = int(rng.choice((96, 128, 160, 208), p=(0.45, 0.35, 0.15, 0.05)))
    width, height = (round(short * side / min(aspect) / 2) * 2 for side in aspect)
    return height, width


def _times(num_frames: int, pooled: bool, rng: np.random.Generator) -> list[float]:
    """When the frames are that the product would pick from a clip of a random length, a little jittered."""
    length = int(rng.integers(24, 128))
    kind = RuleKind.PLLAVA if pooled else RuleKind.POINTS
    picked = np.array(FrameRule(kind, num_frames).indices(length)) / (length - 1)
    return np.clip(picked + rng.uniform(-0.03, 0.03, num_frames), 0, 1).tolist()


def _compressed(frame: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """The frame, in a third of the cases through JPEG, whose faults resemble a video codec's."""
    if rng.random() < 0.35:
        import cv2

        quality = int(rng.integers(50, 96))
        _, encoded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
        frame = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    return Image.fromarray(frame)


def _short_prompt(rng: np.random.Generator) -> str:
    return str(rng.choice(SHORT_PROMPTS)) if rng.random() < 0.7 else _salad(rng, int(rng.integers(1, 25)))


def _long_prompt(rng: np.random.Generator) -> str:
    if rng.random() < 0.25:
        return _salad(rng, int(rng.integers(20, 150)))
    text = presets()[str(rng.choice(list(presets())))].text
    return text.replace(TEXT_SLOT, random_scene(rng).slots.caption)


def _instruction(kind: str, rng: np.random.Generator) -> str:
    if rng.random() < 0.6:
        return TAG_PROMPTS[kind]
    before, after = _salad(rng, int(rng.integers(0, 20))), _salad(rng, int(rng.integers(0, 40)))
    verb = str(rng.choice(("list", "name", "extract", "find", "give")))
    return f"{before} {verb} the {kind} {after}".strip()


def _salad(rng: np.random.Generator, count: int) -> str:
    words = [word for word in _WORDS.split() if word not in ("object", "objects", "action", "actions")]
    return " ".join(rng.choice(words, count).tolist())
