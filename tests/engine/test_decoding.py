"""Greedy generation whose answers do not depend on the batch."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

from resources.engine.engine import Engine
from resources.engine.generation import Finish, Generation
from resources.engine.model_spec import ChatSpec, ImageTextSpec
from resources.engine.placement import Placement
from resources.engine.rows import Row
from tests.golden.tiny_models import write_chat_model


@pytest.fixture
def chat(tmp_path: Path) -> Path:
    return write_chat_model(tmp_path / "chat")


def text_row(*ids: int) -> Row:
    return Row({"input_ids": torch.tensor([list(ids)])})


ROWS = [
    text_row(1, 50, 60),
    text_row(1, 70),
    text_row(1, 80, 90, 100, 110),
    text_row(1, 120),
    text_row(1, 50, 60),
]


def ended_at(engine: Engine, rows: list[Row], step: int) -> tuple[int, ...]:
    """The token that the first row writes at ``step``, to be taken as an end token."""
    return (engine.generate(rows[:1], 16)[0].ids[step],)


def test_early_rows_end_and_the_others_go_on_unchanged(chat: Path) -> None:
    plain = Engine(ChatSpec(folder=chat, placement=Placement.choose("cpu")))
    ends = ended_at(plain, ROWS, 3)
    engine = Engine(ChatSpec(folder=chat, placement=Placement.choose("cpu"), end_ids=ends))
    alone = [engine.generate([row], 16)[0] for row in ROWS]
    together = engine.generate([ROWS[0], *ROWS, ROWS[0]], 16)
    assert [made.ids for made in together] == [alone[i].ids for i in (0, 0, 1, 2, 3, 4, 0)]
    assert {made.finish for made in alone} == {Finish.STOP, Finish.LENGTH}
    assert alone[0].tokens_out == 4


@pytest.mark.parametrize("pad", [None, 2], ids=["no padding token", "an end token as padding"])
@pytest.mark.parametrize(
    "setting", [{"repetition_penalty": 1.3}, {"no_repeat_ngram_size": 1}, {"suppress_tokens": [50, 60]}]
)
def test_a_checkpoints_penalties_work_in_batches(
    chat: Path, setting: dict[str, Any], pad: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Padding must not count as a repeated token, least of all where it is an end token."""
    plain = Engine(ChatSpec(folder=chat, placement=Placement.choose("cpu"))).generate(ROWS, 16)
    file = chat / "generation_config.json"
    settings = json.loads(file.read_text()) | setting | {"pad_token_id": pad}
    file.write_text(json.dumps(settings))
    engine = Engine(ChatSpec(folder=chat, placement=Placement.choose("cpu")))
    alone = [engine.generate([row], 16)[0].ids for row in ROWS]
    batches: list[int] = []
    generate = engine.model.generate

    def watch(**inputs: Any) -> Any:
        batches.append(len(inputs["input_ids"]))
        return generate(**inputs)

    monkeypatch.setattr(engine.model, "generate", watch)
    assert [made.ids for made in engine.generate(ROWS, 16)] == alone
    assert len(batches) < len(ROWS), "rows were computed together"
    assert alone != [made.ids for made in plain], "the setting is in force"


def test_greedy_equals_the_librarys_own_greedy_search(chat: Path) -> None:
    engine = Engine(ChatSpec(folder=chat, placement=Placement.choose("cpu")))
    for row in ROWS:
        ids = row.inputs["input_ids"]
        expected = engine.model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=16, do_sample=False
        )
        assert list(engine.generate([row], 16)[0].ids) == expected[0, ids.shape[1] :].tolist()


@pytest.mark.parametrize("setting", [{"use_cache": False}, {"cache_implementation": "static"}])
def test_a_checkpoints_own_wish_for_a_cache_changes_no_answer(chat: Path, setting: dict[str, Any]) -> None:
    """Training leaves ``use_cache`` off in some checkpoints; one token at a time would then see no prompt."""
    expected = Engine(ChatSpec(folder=chat, placement=Placement.choose("cpu"))).generate(ROWS, 8)
    file = chat / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | setting))
    made = Engine(ChatSpec(folder=chat, placement=Placement.choose("cpu"))).generate(ROWS, 8)
    assert [row.ids for row in made] == [row.ids for row in expected]


def test_positions_in_three_axes_survive_the_loss_of_rows(tmp_path: Path) -> None:
    """Qwen-VL gives every token a time, a row and a column, and so has one axis more to cut."""
    rows, folder = qwen_rows(), write_qwen(tmp_path / "qwen")
    plain = Engine(ImageTextSpec(folder=folder, placement=Placement.choose("cpu")))
    ends = ended_at(plain, rows, 2)
    engine = Engine(ImageTextSpec(folder=folder, placement=Placement.choose("cpu"), end_ids=ends))
    alone = [engine.generate([row], 12)[0].ids for row in rows]
    assert {len(ids) for ids in alone} != {12}
    together = engine.generate([rows[0], *rows, rows[0]], 12)
    assert [made.ids for made in together] == [alone[i] for i in (0, 0, 1, 2, 0)]


def write_qwen(folder: Path) -> Path:
    torch.manual_seed(0)
    config = Qwen2VLConfig(
        text_config={
            "vocab_size": 1000,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "initializer_range": 0.2,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0},
        },
        vision_config={"depth": 2, "embed_dim": 32, "hidden_size": 64, "num_heads": 2},
        image_token_id=990,
        video_token_id=991,
        vision_start_token_id=992,
        vision_end_token_id=993,
    )
    Qwen2VLForConditionalGeneration(config).save_pretrained(folder)
    return folder


def qwen_rows() -> list[Row]:
    generator = torch.Generator().manual_seed(0)
    rows = []
    for number, (height, width) in enumerate([(4, 6), (6, 6), (8, 4)]):
        ids = [1, 7 + number, 992, *[990] * (height * width // 4), 993, 44]
        inputs: dict[str, Any] = {
            "input_ids": torch.tensor([ids]),
            "mm_token_type_ids": torch.tensor([[int(token == 990) for token in ids]]),
            "pixel_values": torch.randn((height * width, 1176), generator=generator),
            "image_grid_thw": torch.tensor([[1, height, width]]),
        }
        rows.append(Row(inputs))
    return rows


@pytest.mark.parametrize(
    ("ids", "kept", "finish"),
    [
        ([5, 6, 2, 0, 0], (5, 6, 2), Finish.STOP),
        ([5, 6, 7], (5, 6, 7), Finish.LENGTH),
        ([2], (2,), Finish.STOP),
    ],
)
def test_a_row_is_cut_after_its_end(ids: list[int], kept: tuple[int, ...], finish: Finish) -> None:
    made = Generation.read(ids, frozenset({2, 3}), tokens_in=4, seconds=0.5)
    assert (made.ids, made.finish, made.tokens_out) == (kept, finish, len(kept))
