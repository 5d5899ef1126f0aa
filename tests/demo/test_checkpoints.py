"""The embedded checkpoints: laid out like the real ones, and right about clips that they never saw."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    LlavaNextForConditionalGeneration,
)

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
from tests.demo.held_out import parse, render_clips
from tools.demo_world.clips import Truth
from tools.demo_world.world import MOVES, Slots
from tools.train_embedded.layout import CHECKPOINTS, LORA_RANK, POOLING_SHAPE

NAMES = ("tiny-llava-next", "tiny-pllava", "tiny-tagger")
HELD_OUT_SEED, HELD_OUT_CLIPS = 20_261_122, 24


def tensors_of(name: str) -> dict[str, torch.Tensor]:
    with safe_open(CHECKPOINTS / name / "model.safetensors", "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping


def test_all_three_fit_in_twelve_megabytes() -> None:
    sizes = [path.stat().st_size for path in CHECKPOINTS.rglob("*") if path.is_file()]
    assert sum(sizes) <= 12e6


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_half_precision_and_there_is_a_card(name: str) -> None:
    assert {tensor.dtype for tensor in tensors_of(name).values()} == {torch.bfloat16}
    assert "Apache-2.0" in (CHECKPOINTS / name / "README.md").read_text()


def test_llava_has_the_names_of_a_hub_checkpoint() -> None:
    names = set(tensors_of("tiny-llava-next"))
    assert {
        "image_newline",
        "language_model.lm_head.weight",
        "language_model.model.embed_tokens.weight",
        "language_model.model.layers.0.self_attn.q_proj.weight",
        "multi_modal_projector.linear_1.bias",
        "vision_tower.vision_model.embeddings.class_embedding",
        "vision_tower.vision_model.encoder.layers.3.mlp.fc2.weight",
        "vision_tower.vision_model.pre_layrnorm.weight",
    } <= names
    assert {name.split(".")[0] for name in names} == {
        "image_newline", "language_model", "multi_modal_projector", "vision_tower",
    }  # fmt: skip


def test_pllava_has_the_names_of_a_weight_folder() -> None:
    tensors = tensors_of("tiny-pllava")
    layer = "language_model.base_model.model.model.layers.2.self_attn.v_proj"
    assert tensors[f"{layer}.lora_A.default.weight"].shape[0] == LORA_RANK
    assert tensors[f"{layer}.lora_B.default.weight"].shape[1] == LORA_RANK
    assert {name.split(".")[0] for name in tensors} == {"language_model", "multi_modal_projector"}
    config = json.loads((CHECKPOINTS / "tiny-pllava" / "config.json").read_text())
    assert (config["model_type"], config["num_frames"]) == ("llava", POOLING_SHAPE[0])
    assert config["pooling_shape"] == list(POOLING_SHAPE)


@pytest.mark.parametrize(
    ("loader", "name"),
    [
        (LlavaNextForConditionalGeneration, "tiny-llava-next"),
        (AutoModelForImageTextToText, "tiny-llava-next"),
        (AutoModelForCausalLM, "tiny-tagger"),
    ],
)
def test_stock_classes_load_every_weight(loader: type, name: str) -> None:
    _, report = loader.from_pretrained(CHECKPOINTS / name, output_loading_info=True)
    assert not any(report.values())


def test_stock_processor_and_template_make_a_prompt() -> None:
    processor = AutoProcessor.from_pretrained(CHECKPOINTS / "tiny-llava-next")
    content = [{"type": "image"}, {"type": "image"}, {"type": "text", "text": "What happens?"}]
    text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    assert text == "USER: <image><image>\nWhat happens? ASSISTANT:"


@pytest.mark.parametrize("name", NAMES)
def test_tokenizers_load_as_they_were_written(name: str) -> None:
    text = "An orange ring grows on a black background.\n\n[circle, moves]  Ünïcode 42"
    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINTS / name)
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert len(tokenizer(" circle", add_special_tokens=False)["input_ids"]) == 1


def test_the_tagger_speaks_in_llama_3_turns() -> None:
    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINTS / "tiny-tagger")
    turns = [{"role": "system", "content": "List."}, {"role": "user", "content": " A circle. "}]
    text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    assert text == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nList.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nA circle.<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Truth]]:
    folder = tmp_path_factory.mktemp("held-out")
    return folder, render_clips(folder, HELD_OUT_CLIPS, HELD_OUT_SEED)


@pytest.fixture(scope="module")
def reader() -> Iterator[FrameReader]:
    with IsolatedWorkers(1, timeout_s=120.0) as workers:
        yield FrameReader(workers)


def said_of(annotator: Annotator, clips: list[Clip]) -> list[str]:
    answers = annotator.annotate([annotator.prepare(clip) for clip in clips])
    annotator.close()
    assert all(isinstance(answer, Answer) for answer in answers)
    return [answer.value for answer in answers if isinstance(answer, Answer)]


def captions_of(captioner: Annotator, held_out: tuple[Path, list[Truth]]) -> list[str]:
    folder, truths = held_out
    return said_of(captioner, [Clip(t.file, folder / t.file, Kind.VIDEO) for t in truths])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("captioner", ["pllava", "llava"])
def test_captions_of_held_out_clips_are_right(
    captioner: str, dtype: str, held_out: tuple[Path, list[Truth]], reader: FrameReader
) -> None:
    made = (
        PllavaCaptioner(Pllava.model_validate({"model": "demo", "dtype": dtype}), reader)
        if captioner == "pllava"
        else TransformersCaptioner(
            Transformers.model_validate({"name": "llava", "model": "demo", "num_frames": 3, "dtype": dtype}),
            reader,
        )
    )
    said = captions_of(made, held_out)
    wanted = [truth.slots.caption for truth in held_out[1] if truth.slots]
    wrong = [pair for pair in zip(said, wanted, strict=True) if pair[0] != pair[1]]
    assert len(wrong) <= 0.1 * len(wanted), wrong


def test_one_frame_tells_no_motion_but_what_is_there(
    held_out: tuple[Path, list[Truth]], reader: FrameReader
) -> None:
    captioner = TransformersCaptioner(Transformers(name="llava", model="demo", num_frames=1), reader)
    said = [parse(caption) for caption in captions_of(captioner, held_out)]
    moving = [
        (s, t.slots) for s, t in zip(said, held_out[1], strict=True) if t.slots and t.slots.action in MOVES
    ]
    motion_right = [slots is not None and slots.action == truth.action for slots, truth in moving]
    assert sum(motion_right) < 0.5 * len(motion_right)
    for slot in ("shape", "colour", "background"):
        right = [
            slots is not None and getattr(slots, slot) == getattr(truth.slots, slot)
            for slots, truth in zip(said, held_out[1], strict=True)
        ]
        assert sum(right) >= 0.9 * len(right), slot


@pytest.mark.parametrize("kind", ["objects", "actions"])
def test_tags_of_captions_are_right(kind: str, held_out: tuple[Path, list[Truth]]) -> None:
    seen = [slots for truth in held_out[1] for slots in (truth.slots, truth.still_slots) if slots]
    seen.append(Slots("gray"))
    tagger = TextModel(Tags(model="demo"))
    clips = [Clip(str(i), Path("-"), text=slots.caption) for i, slots in enumerate(seen)]
    said = [json.loads(value) for value in said_of(LocalAnswers(TagQuestion("tags", kind), tagger), clips)]
    tagger.close()
    assert said == [getattr(slots, kind) for slots in seen]
