"""Rows that finish early leave the batch, and no row notices."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, Cache, Qwen2VLConfig, Qwen2VLForConditionalGeneration

from resources.annotation.outcome import AnnotatorError
from resources.captioners.llava_model import ImageTextSpec
from resources.engine.constraint import JsonConstraint
from resources.engine.engine import LocalEngine
from resources.engine.generation import Finish, Generation
from resources.engine.placement import Placement
from resources.engine.rows import Row
from resources.tagger.tagger_model import ChatSpec
from tests.golden.tiny_models import write_chat_model

CPU = torch.device("cpu")


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


def ended_at(engine: LocalEngine, rows: list[Row], step: int) -> tuple[int, ...]:
    """The token that the first row writes at ``step``, to be taken as an end token."""
    return (engine.generate(rows[:1], 16)[0].ids[step],)


def test_early_rows_end_and_the_others_go_on_unchanged(chat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = LocalEngine(ChatSpec(folder=chat, placement=Placement.choose("cpu")), CPU)
    ends = ended_at(plain, ROWS, 3)
    engine = LocalEngine(ChatSpec(folder=chat, placement=Placement.choose("cpu"), end_ids=ends), CPU)
    alone = [engine.generate([row], 16)[0] for row in ROWS]
    widths: list[int] = []
    select = Cache.batch_select_indices

    def watch(cache: Cache, kept: torch.Tensor) -> None:
        widths.append(len(kept))
        select(cache, kept)

    monkeypatch.setattr(Cache, "batch_select_indices", watch)
    doubled = [ROWS[0], *ROWS, ROWS[0]]
    together = engine.generate(doubled, 16)
    assert [made.ids for made in together] == [alone[i].ids for i in (0, 0, 1, 2, 3, 4, 0)]
    assert {made.finish for made in alone} == {Finish.STOP, Finish.LENGTH}
    assert alone[0].tokens_out == 4
    assert widths, "finished rows were dropped from the cache"
    assert widths[0] < len(doubled) / 2


def test_greedy_equals_the_librarys_own_greedy_search(chat: Path) -> None:
    engine = LocalEngine(ChatSpec(folder=chat, placement=Placement.choose("cpu")), CPU)
    for row in ROWS:
        ids = row.inputs["input_ids"]
        expected = engine.model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=16, do_sample=False
        )
        assert list(engine.generate([row], 16)[0].ids) == expected[0, ids.shape[1] :].tolist()


@pytest.mark.parametrize("setting", [{"use_cache": False}, {"cache_implementation": "static"}])
def test_a_checkpoints_own_wish_for_a_cache_changes_no_answer(chat: Path, setting: dict[str, Any]) -> None:
    """Training leaves ``use_cache`` off in some checkpoints; one token at a time would then see no prompt."""
    expected = LocalEngine(ChatSpec(folder=chat, placement=Placement.choose("cpu")), CPU).generate(ROWS, 8)
    file = chat / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | setting))
    made = LocalEngine(ChatSpec(folder=chat, placement=Placement.choose("cpu")), CPU).generate(ROWS, 8)
    assert [row.ids for row in made] == [row.ids for row in expected]


SCHEMA = json.dumps({"type": "array", "items": {"enum": ["cat", "dog", "sea"]}, "minItems": 1, "maxItems": 3})


def test_rows_held_to_a_schema_end_inside_it_and_do_not_mind_their_batch(
    chat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = LocalEngine(ChatSpec(folder=chat, placement=Placement.choose("cpu"), json_schema=SCHEMA), CPU)
    words = AutoTokenizer.from_pretrained(chat)
    kept: list[list[int]] = []
    keep = JsonConstraint.keep
    monkeypatch.setattr(
        JsonConstraint, "keep", lambda held, rows: kept.append(list(rows)) or keep(held, rows)
    )
    rows = [text_row(1, token, token) for token in range(40, 160, 10)]
    together = engine.generate(rows, 40)
    values = [json.loads(words.decode(made.ids, skip_special_tokens=True)) for made in together]
    assert all(1 <= len(value) <= 3 and set(value) <= {"cat", "dog", "sea"} for value in values)
    assert {made.finish for made in together} == {Finish.STOP}
    assert kept, "rows that had ended left the batch, and the others kept their places in the schema"
    assert [made.ids for made in together] == [engine.generate([row], 40)[0].ids for row in rows]


def test_a_schema_that_cannot_be_used_is_refused(chat: Path) -> None:
    spec = ChatSpec(folder=chat, placement=Placement.choose("cpu"), json_schema='{"type": "colour"}')
    with pytest.raises(AnnotatorError, match="the JSON schema cannot be used"):
        LocalEngine(spec, CPU)


def test_positions_in_three_axes_survive_the_loss_of_rows(tmp_path: Path) -> None:
    """Qwen-VL gives every token a time, a row and a column, and so has one axis more to cut."""
    rows, folder = qwen_rows(), write_qwen(tmp_path / "qwen")
    plain = LocalEngine(ImageTextSpec(folder=folder, placement=Placement.choose("cpu")), CPU)
    ends = ended_at(plain, rows, 2)
    engine = LocalEngine(ImageTextSpec(folder=folder, placement=Placement.choose("cpu"), end_ids=ends), CPU)
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
