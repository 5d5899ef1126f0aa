"""A loaded model that turns rows into generations."""

import copy
import gc
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from transformers import GenerationConfig, PreTrainedModel

from resources.annotation.ladder import is_out_of_memory
from resources.annotation.outcome import AnnotatorError
from resources.engine.batching import group_rows
from resources.engine.constraint import JsonGrammar
from resources.engine.continuous import generate_continuously
from resources.engine.decoding import decode_greedily
from resources.engine.generation import Generation, end_tokens
from resources.engine.model_spec import ModelSpec
from resources.engine.rows import Inputs, Row, collate
from resources.engine.throughput import Throughput

_log = logging.getLogger(__name__)


class Engine(ABC):
    """Generates greedily; an answer does not depend on which rows share its batch."""

    throughput: Throughput

    @abstractmethod
    def generate(self, rows: Sequence[Row], max_new_tokens: int) -> list[Generation]:
        """One generation for each row, in order.

        Raises:
            torch.OutOfMemoryError: after giving back what the failed batch held.
            AnnotatorError: the device or a helper process is gone.
        """

    def close(self) -> None:  # noqa: B027 - optional hook
        """Give back memory, devices and processes."""


class LocalEngine(Engine):
    """A model in this process, on one device (or this process's part of a split model)."""

    def __init__(self, spec: ModelSpec, device: torch.device) -> None:
        spec.placement.check_runtime(device)
        started = time.monotonic()
        self.device = device
        self.throughput = Throughput()
        if spec.placement.on_cuda and spec.placement.dtype == "float32":
            # Its default rounds the numbers of convolutions, such as those of image patches, to 10 bits.
            torch.backends.cudnn.allow_tf32 = False
        self._model = self._load(spec)
        self._continuous = spec.continuous_batching
        self._config = self._model.generation_config = greedy_config(self._model, spec.end_ids)
        self._ends = frozenset(end_tokens(self._config))
        self._grammar = self._read_grammar(spec)
        _log.info("loaded %s on %s in %.1f s", spec.folder.name, device, time.monotonic() - started)

    def _load(self, spec: ModelSpec) -> PreTrainedModel:
        try:
            with self._on_device():
                return spec.load(self.device)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            # To the loop, memory that runs out means fewer clips at once; here that would help nobody.
            raise AnnotatorError(
                f"the weights in '{spec.folder}' do not fit on {self.device}: choose a smaller dtype, or split them "
                f"over devices by tensor_parallel_size ({error})"
            ) from error

    def _read_grammar(self, spec: ModelSpec) -> JsonGrammar | None:
        if spec.json_schema is None:
            return None
        from transformers import AutoTokenizer

        scored = self._model.config.get_text_config().vocab_size
        return JsonGrammar(spec.json_schema, AutoTokenizer.from_pretrained(spec.folder), scored, self._ends)

    def _on_device(self) -> AbstractContextManager[object]:
        """Kernels that ask for the current device, which is a thread's own, find the leased one."""
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()

    @property
    def model(self) -> PreTrainedModel:
        """The loaded model, for measurements and tests."""
        return self._model

    def generate(self, rows: Sequence[Row], max_new_tokens: int) -> list[Generation]:  # noqa: D102
        results: dict[int, Generation] = {}
        for group in self._groups(rows):
            results |= zip(group, self._generate_group([rows[i] for i in group], max_new_tokens), strict=True)
        return [results[i] for i in range(len(rows))]

    def _groups(self, rows: Sequence[Row]) -> list[list[int]]:
        if self._continuous:
            return [list(range(len(rows)))]
        return group_rows([row.length for row in rows], [row.signature for row in rows])

    def _generate_group(self, rows: Sequence[Row], max_new_tokens: int) -> list[Generation]:
        started = time.monotonic()
        failure: Exception | None = None
        try:
            new_ids = self._decode(rows, max_new_tokens)
        except torch.OutOfMemoryError as error:
            failure = torch.OutOfMemoryError(str(error))
        except torch.AcceleratorError as error:
            failure = AnnotatorError(f"the device {self.device} failed and needs a new process: {error}")
        except RuntimeError as error:
            # The libraries under torch do not say by the type of the error that they found no memory.
            if "_STATUS_ALLOC_FAILED" not in str(error):
                raise
            failure = torch.OutOfMemoryError(str(error))
        if failure is not None:
            # Out of the except block, the traceback no longer holds the batch's tensors.
            self._give_back_memory()
            raise failure
        seconds = time.monotonic() - started
        generations = [
            Generation.read(ids, self._ends, row.length, seconds / len(rows))
            for ids, row in zip(new_ids, rows, strict=True)
        ]
        self.throughput.record(generations, seconds)
        return generations

    def _decode(self, rows: Sequence[Row], max_new_tokens: int) -> list[list[int]]:
        with self._on_device():
            if self._continuous:
                return generate_continuously(self._model, rows, self._config, max_new_tokens)
            inputs = to_device(collate(rows, self._config.pad_token_id), self.device, self._model.dtype)
            config = copy.deepcopy(self._config)
            config.max_new_tokens = max_new_tokens
            with torch.inference_mode():
                new_ids = self._model.generate(
                    **inputs,
                    generation_config=config,
                    custom_generate=decode_greedily,
                    constraint=self._grammar.begin(len(rows)) if self._grammar else None,
                )
            return new_ids.tolist()

    def _give_back_memory(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def close(self) -> None:  # noqa: D102
        del self._model
        self._give_back_memory()


def to_device(batch: Inputs, device: torch.device, dtype: torch.dtype) -> Inputs:
    """Move a batch; floating-point inputs take the model's number type on the way.

    For CUDA, host memory is pinned and the copies are asynchronous.
    """
    if device.type == "cuda":
        batch = {key: value.pin_memory().to(device, non_blocking=True) for key, value in batch.items()}
    return {key: value.to(dtype) if value.is_floating_point() else value for key, value in batch.items()}


def greedy_config(model: PreTrainedModel, end_ids: Sequence[int] = ()) -> GenerationConfig:
    """The checkpoint's own end tokens (and ``end_ids``), padding and penalties, without its sampling."""
    config = copy.deepcopy(model.generation_config)
    config.do_sample, config.num_beams = False, 1
    config.temperature = config.top_p = config.top_k = None
    config.max_length = config.max_new_tokens = None
    # Training leaves use_cache off in some checkpoints, and rows can only leave the plain kind of cache.
    config.use_cache, config.cache_implementation = True, None
    if not end_tokens(config):
        config.eos_token_id = model.config.get_text_config().eos_token_id
    config.eos_token_id = sorted({*end_tokens(config), *end_ids}) or None
    if config.pad_token_id is None or config.pad_token_id < 0:
        config.pad_token_id = (end_tokens(config) or [0])[0]
    return config
