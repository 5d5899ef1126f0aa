"""PLLaVA on current libraries gives what the original program gave."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from resources.captioners.pllava import PllavaCaptioner
from resources.engine.engine import Engine, to_device
from resources.engine.rows import Row, collate
from tests.golden import golden_arrays, golden_cases, golden_clip, golden_json

Build = Callable[..., PllavaCaptioner]

CASES = pytest.mark.parametrize("case", golden_cases(), ids=lambda case: case["key"])
FEATURES, LOGITS, MARGIN = 1e-4, 2e-4, 1e-3


def prepared(captioner: PllavaCaptioner, case: dict[str, Any]) -> list[Row]:
    return [captioner.prepare(golden_clip(name)) for name in case["clips"]]


def forward(captioner: PllavaCaptioner, rows: list[Row]) -> Any:
    engine = Engine(captioner.model_spec())
    with torch.inference_mode():
        return engine.model(**to_device(collate(rows), engine.device, engine.model.dtype))


@CASES
def test_frames_pixels_and_tokens_are_exactly_the_originals(case: dict[str, Any], pllava: Build) -> None:
    rows = prepared(pllava(case), case)
    image = golden_json("golden_pllava.json")
    assert [row.details["frame_indices"] for row in rows] == case["frame_indices"]
    pixels = torch.cat([row.inputs["pixel_values"] for row in rows]).numpy()
    assert list(pixels.shape) == case["pixel_values_shape"]
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == case["pixel_values_sha256"]
    assert {row.length for row in rows} == {case["prefill_len"]}
    for row, ids in zip(rows, golden_arrays()[f"{case['key']}/input_ids"], strict=True):
        visual = row.inputs["input_ids"][0].tolist()
        placeholder = max(visual, key=visual.count)
        first = visual.index(placeholder)
        unexpanded = visual[: first + 1] + [token for token in visual[first:] if token != placeholder]
        assert unexpanded == ids.tolist(), image["prompt"]


def ways_to_compute() -> list[Any]:
    """Every case in one way, and the two batches of several clips in all four."""
    ways = [(attention, merge) for attention in ("eager", "sdpa") for merge in (True, False)]
    return [
        pytest.param(case, *way, id=f"{case['key']}-{way[0]}-{'merged' if way[1] else 'unmerged'}")
        for number, case in enumerate(golden_cases())
        for way in (ways if len(case["clips"]) > 1 else [ways[number % 4]])
    ]


@pytest.mark.parametrize(("case", "attention", "merge"), ways_to_compute())
def test_features_and_logits_match_the_original(
    case: dict[str, Any], attention: str, merge: bool, pllava: Build
) -> None:
    captioner = pllava(case, attention=attention, merge_adapter=merge)
    outputs = forward(captioner, prepared(captioner, case))
    golden = golden_arrays()
    expected = golden[f"{case['key']}/features"]
    features = outputs.image_hidden_states.reshape(len(case["clips"]), -1, expected.shape[-1]).numpy()
    kept = features[:, :: features.shape[1] // expected.shape[1]]  # of larger cases the goldens keep a sample
    assert np.abs(kept - expected).max() <= FEATURES
    logits = outputs.logits[:, -1].numpy()
    assert np.abs(logits - golden[f"{case['key']}/prefill_last_logits"]).max() <= LOGITS


@CASES
def test_captions_match_the_original(case: dict[str, Any], pllava: Build) -> None:
    captioner = pllava(case)
    rows = prepared(captioner, case)
    generations = captioner.engine.generate(captioner.model_spec(), rows)
    answers = [captioner.answer(row, generation) for row, generation in zip(rows, generations, strict=True)]
    margins = golden_arrays()[f"{case['key']}/step_logits_top2"]
    for generation, answer, ids, caption, top2 in zip(
        generations, answers, case["new_ids"], case["captions"], margins, strict=True
    ):
        sure = next((i for i, (first, second) in enumerate(top2) if first - second <= MARGIN), len(ids))
        assert list(generation.ids[:sure]) == ids[:sure]
        if sure == len(ids):
            assert answer.value == caption
        assert answer.finish_reason == "length"
        assert (answer.tokens_in, answer.tokens_out) == (case["prefill_len"], 32)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_caption_does_not_depend_on_its_batch(attention: str, pllava: Build) -> None:
    captioner = pllava(attention=attention)
    rows = [captioner.prepare(golden_clip(name)) for name in ("a_96x64", "b_64x64", "d_1280x720")]
    alone = [captioner.annotate([row])[0].value for row in rows]
    together = [answer.value for answer in captioner.annotate(rows)]
    golden = [case["captions"][0] for case in golden_cases() if case["key"].startswith("full56_lora_4-2-2/")][
        :3
    ]
    assert alone == together == golden


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("merge", [True, False], ids=["merged", "unmerged"])
def test_half_precision_stays_as_near_as_the_original_does(
    attention: str, merge: bool, pllava: Build
) -> None:
    """The original's own bfloat16 logits are up to 0.10 from its float32 ones."""
    case = golden_cases()[0]
    captioner = pllava(case, dtype="bfloat16", attention=attention, merge_adapter=merge)
    logits = forward(captioner, prepared(captioner, case)).logits[:, -1].float().numpy()
    assert np.abs(logits - golden_arrays()[f"{case['key']}/prefill_last_logits"]).max() <= 0.2
