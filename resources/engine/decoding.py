"""Greedy decoding that stops paying for rows that have finished."""

from typing import Any

import torch
from transformers import Cache, GenerationConfig, LogitsProcessorList, PreTrainedModel, StoppingCriteriaList

from resources.engine.constraint import JsonConstraint
from resources.engine.generation import end_tokens

COMPACT_BELOW = 0.5


def decode_greedily(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    constraint: JsonConstraint | None = None,
    **model_kwargs: Any,
) -> torch.Tensor:
    """A decoding method for ``model.generate(custom_generate=...)``.

    ``input_ids``: (batch, length), padded on the left. Returns (batch, length + new): the most likely
    token at every step until each row has met an end token, which is kept; shorter rows are filled up
    with padding. Whenever less than half of the rows being computed are unfinished, the finished ones
    leave the batch and the key-value cache, where the model's state allows it. ``constraint`` rules out
    tokens. ``stopping_criteria`` repeats the length and end tokens of ``generation_config`` and is not consulted.

    The host waits for the device once a step, to see which rows have ended.
    """
    batch, length = input_ids.shape
    ends = torch.tensor(end_tokens(generation_config), dtype=input_ids.dtype, device=input_ids.device)
    steps = generation_config.max_length - length
    filler = _filler(generation_config)
    generated = torch.full((batch, steps), filler, device=input_ids.device)
    rows = torch.arange(batch, device=input_ids.device)
    unfinished = torch.ones(batch, dtype=torch.bool, device=input_ids.device)
    outputs = model._prefill(input_ids, generation_config, model_kwargs)
    for step in range(steps):
        model_kwargs = model._update_model_kwargs_for_generation(outputs, model_kwargs)
        logits = outputs.logits[:, -1].to(torch.float32, copy=True)
        scores = logits_processor(input_ids, logits)
        if constraint is not None:
            scores = constraint.restrict(scores)
        tokens = torch.where(unfinished, scores.argmax(dim=-1), filler)
        generated[rows, step] = tokens
        input_ids = torch.cat([input_ids, tokens[:, None]], dim=1)
        if constraint is not None:
            constraint.accept(tokens.tolist())
        unfinished = unfinished & ~torch.isin(tokens, ends)
        left = int(unfinished.sum())
        if left == 0:
            return generated[:, : step + 1]
        if step + 1 == steps:
            break
        if left < COMPACT_BELOW * len(rows) and _can_compact(model_kwargs):
            kept = unfinished.nonzero().squeeze(1)
            input_ids, rows, unfinished = input_ids[kept], rows[kept], unfinished[kept]
            model_kwargs = _compact(model_kwargs, kept)
            if constraint is not None:
                constraint.keep(kept.tolist())
        inputs = model.prepare_inputs_for_generation(input_ids, next_sequence_length=1, **model_kwargs)
        outputs = model(**inputs, return_dict=True)
    return generated


def _filler(config: GenerationConfig) -> int:
    return config.pad_token_id if config.pad_token_id is not None else 0


def _can_compact(model_kwargs: dict[str, Any]) -> bool:
    """Only plain key-value caches can lose rows; a model that keeps other state goes on with all of them."""
    cache = model_kwargs.get("past_key_values")
    return isinstance(cache, Cache) and all(hasattr(layer, "batch_select_indices") for layer in cache.layers)


def _compact(model_kwargs: dict[str, Any], kept: torch.Tensor) -> dict[str, Any]:
    model_kwargs["past_key_values"].batch_select_indices(kept)
    compacted = dict(model_kwargs)
    for key in ("attention_mask", "token_type_ids", "mm_token_type_ids"):
        if isinstance(value := model_kwargs.get(key), torch.Tensor):
            compacted[key] = value[kept]
    if isinstance(positions := model_kwargs.get("position_ids"), torch.Tensor):
        # (batch, length), or (axes, batch, length) for models with positions in time, height and width
        compacted["position_ids"] = positions[kept] if positions.dim() == 2 else positions[:, kept]
    return compacted
