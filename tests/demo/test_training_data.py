"""What the checkpoints are trained on is, pixel by pixel and token by token, what the product shows them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from resources.annotation.clip import Clip
from tools.demo_world.scene import random_scene
from tools.train_embedded import layout
from tools.train_embedded.training_data import (
    CaptionBatches,
    FrameBatches,
    TagBatches,
    WriterBatches,
    caption_corpus,
    cropped,
    known_of,
    letterboxed,
    normalised,
    squashed,
    structured,
    tag_corpus,
    tokens_of_frame,
    writer_question,
)

SIZES = [(320, 180), (180, 320), (224, 224), (171, 96), (128, 96), (97, 201)]


@pytest.fixture(scope="module")
def tokenizer():  # type: ignore[no-untyped-def]
    return layout.llava_tokenizer(caption_corpus(0), 1024)


@pytest.mark.parametrize("size", SIZES)
def test_views_are_those_of_the_image_processors(size: tuple[int, int], tokenizer) -> None:  # type: ignore[no-untyped-def]
    frame = Image.fromarray(random_scene(np.random.default_rng(1)).draw(0.3, size[1], size[0]))
    processor = layout.llava_processor(tokenizer)
    shown = processor(text=["<image>"], images=[frame], return_tensors="pt")
    assert torch.allclose(
        shown["pixel_values"][0], normalised([squashed(frame), letterboxed(frame)]), atol=1e-5
    )
    assert shown["input_ids"].shape[1] - 1 == tokens_of_frame(frame.height, frame.width)
    side = layout.IMAGE_SIDE
    clip = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    assert torch.allclose(
        clip(images=[frame], return_tensors="pt")["pixel_values"], normalised([cropped(frame)]), atol=1e-5
    )


@pytest.mark.parametrize("stage", ["tower", "llava", "pllava", "tagger", "writer"])
def test_a_batch_is_decided_by_seed_and_step(stage: str, tokenizer) -> None:  # type: ignore[no-untyped-def]
    data = {
        "tower": lambda seed: FrameBatches(seed, 2),
        "llava": lambda seed: CaptionBatches(seed, "llava", 2, tokenizer),
        "pllava": lambda seed: CaptionBatches(seed, "pllava", 2, tokenizer),
        "tagger": lambda seed: TagBatches(seed, 2, layout.text_tokenizer(tag_corpus(0), 1024)),
        "writer": lambda seed: WriterBatches(seed, 2, layout.text_tokenizer(tag_corpus(0), 1024)),
    }[stage]
    same, again, other = data(1)[7], data(1)[7], data(1)[8]
    assert all(torch.equal(same[name], again[name]) for name in same)
    key = "pixels" if "pixels" in same else "ids"
    assert same[key].shape != other[key].shape or not torch.equal(same[key], other[key])


def test_structured_captions_to_learn_from_follow_the_schema_and_invent_nothing() -> None:
    rng = np.random.default_rng(5)
    question = writer_question()
    for number in range(200):
        slots = random_scene(rng, surface=number % 6 == 0).slots
        known, motion = known_of(slots, rng)
        clip = Clip("-", Path("-"), answers=known)
        _, details = question.read(json.dumps(structured(slots, motion)), clip)
        assert details["ungrounded"] == [], (known, details)
