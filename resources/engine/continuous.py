"""Continuous batching of text, by the library's paged cache: finished rows make room for waiting ones."""

import copy
from collections.abc import Sequence
from math import ceil

from transformers import ContinuousBatchingConfig, GenerationConfig, PreTrainedModel

from resources.engine.rows import Row

PAGE_TOKENS = 32
FEWEST_STEP_TOKENS, MOST_STEP_TOKENS = 64, 8192


def cache_size(
    lengths: Sequence[int], max_new_tokens: int, page_tokens: int = PAGE_TOKENS
) -> tuple[int, int]:
    """Pages of the cache, and tokens of one step, that let all rows of these prompt lengths run at once.

    The library's own choice is all memory that is free, which takes longer to set up than a small batch to run.
    """
    pages = sum(ceil((length + max_new_tokens) / page_tokens) for length in lengths)
    return pages, min(MOST_STEP_TOKENS, max(FEWEST_STEP_TOKENS, sum(lengths)))


def generate_continuously(
    model: PreTrainedModel, rows: Sequence[Row], config: GenerationConfig, max_new_tokens: int
) -> list[list[int]]:
    """The new tokens of every row, in order.

    Raises:
        RuntimeError: the library gave up on a row; its reason.
    """
    config = copy.deepcopy(config)
    config.max_new_tokens = max_new_tokens
    pages, step_tokens = cache_size([row.length for row in rows], max_new_tokens)
    outputs = model.generate_batch(
        [row.inputs["input_ids"][0].tolist() for row in rows],
        generation_config=config,
        continuous_batching_config=ContinuousBatchingConfig(
            page_size=PAGE_TOKENS, num_blocks=pages, max_batch_tokens=step_tokens, auto_switch_to_flash=False
        ),
    )
    ordered = [outputs.get(f"req_{number}") for number in range(len(rows))]
    for number, output in enumerate(ordered):
        if output is None or output.error is not None:
            reason = output.error if output is not None else "no answer"
            raise RuntimeError(f"continuous batching gave up on row {number}: {reason}")
    return [list(output.generated_tokens) for output in ordered]
