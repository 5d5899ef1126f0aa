"""A loaded model that turns rows into generations, and the devices it holds."""

import copy
import gc
import logging
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel

from resources.annotation.ladder import is_out_of_memory
from resources.annotation.outcome import AnnotatorError
from resources.engine.constraint import JsonConstraint
from resources.engine.device_lease import DeviceLease, lease_devices, visible_devices
from resources.engine.generation import Generation, end_tokens
from resources.engine.model_spec import ModelSpec
from resources.engine.rows import Inputs, Row, collate, group_rows

CPU = torch.device("cpu")
_log = logging.getLogger(__name__)


class Engine:
    """A model in this process. Generates greedily; an answer does not depend on which rows share its batch.

    Args:
        devices: where the model goes; its layers are spread over them if there are several.
        lease: what holds the devices; given back by :meth:`close`.

    Raises:
        AnnotatorError: the weights do not fit, or cannot be computed there.
    """

    def __init__(
        self, spec: ModelSpec, devices: Sequence[torch.device] = (CPU,), lease: DeviceLease | None = None
    ) -> None:
        for device in devices:
            spec.placement.check_runtime(device)
        started = time.monotonic()
        self.device = devices[0]
        self._lease = lease
        if spec.placement.on_cuda and spec.placement.dtype == "float32":
            # Its default rounds the numbers of convolutions, such as those of image patches, to 10 bits.
            torch.backends.cudnn.allow_tf32 = False
        self.model = self._load(spec, devices)
        self._config = self.model.generation_config = greedy_config(self.model, spec.end_ids)
        self._ends = frozenset(end_tokens(self._config))
        self._constraint = JsonConstraint(spec, sorted(self._ends)) if spec.schema else None
        where = ", ".join(map(str, devices))
        _log.info("loaded %s on %s in %.1f s", spec.folder.name, where, time.monotonic() - started)

    @classmethod
    def start(cls, spec: ModelSpec) -> "Engine":
        """Lease the devices that the placement asks for and load the model; a CPU is not leased.

        Raises:
            AnnotatorError: no device, no weights, or a placement that cannot be computed here.
        """
        placement = spec.placement
        placement.check_runtime()
        if not placement.on_cuda:
            return cls(spec)
        wanted = torch.device(placement.device).index
        names = visible_devices(torch.cuda.device_count())
        lease = lease_devices(names, placement.devices, wanted)
        try:
            return cls(spec, [torch.device("cuda", index) for index in lease.indices], lease)
        except BaseException:
            lease.release()
            raise

    def _load(self, spec: ModelSpec, devices: Sequence[torch.device]) -> PreTrainedModel:
        try:
            with self._on_device():
                return spec.load(devices)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            # To the loop, memory that runs out means fewer clips at once; here that would help nobody.
            raise AnnotatorError(
                f"the weights in '{spec.folder}' do not fit on {self.device}: choose a smaller dtype, or spread them "
                f"over devices by tensor_parallel_size ({error})"
            ) from error

    def _on_device(self) -> AbstractContextManager[object]:
        """Kernels that ask for the current device, which is a thread's own, find the leased one."""
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()

    def generate(self, rows: Sequence[Row], max_new_tokens: int) -> list[Generation]:
        """One generation for each row, in order.

        Raises:
            torch.OutOfMemoryError: after giving back what the failed batch held.
            AnnotatorError: the device is gone.
        """
        results: dict[int, Generation] = {}
        for group in group_rows(rows):
            results |= zip(group, self._generate_group([rows[i] for i in group], max_new_tokens), strict=True)
        return [results[i] for i in range(len(rows))]

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
        seconds = (time.monotonic() - started) / len(rows)
        return [
            Generation.read(ids, self._ends, row.length, seconds)
            for ids, row in zip(new_ids, rows, strict=True)
        ]

    def _decode(self, rows: Sequence[Row], max_new_tokens: int) -> list[list[int]]:
        with self._on_device(), torch.inference_mode():
            inputs = to_device(collate(rows), self.device, self.model.dtype)
            config = copy.deepcopy(self._config)
            config.max_new_tokens = max_new_tokens
            held = [self._constraint.processor(len(rows))] if self._constraint else []
            ids = self.model.generate(
                **inputs, generation_config=config, logits_processor=LogitsProcessorList(held)
            )
            return ids[:, inputs["input_ids"].shape[1] :].tolist()

    def _give_back_memory(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def close(self) -> None:
        """Give back memory and devices."""
        del self.model
        self._give_back_memory()
        if self._lease is not None:
            self._lease.release()


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
    # Training leaves use_cache off in some checkpoints.
    config.use_cache, config.cache_implementation = True, None
    if not end_tokens(config):
        config.eos_token_id = model.config.get_text_config().eos_token_id
    config.eos_token_id = sorted({*end_tokens(config), *end_ids}) or None
    if config.pad_token_id is None or config.pad_token_id < 0:
        config.pad_token_id = (end_tokens(config) or [0])[0]
    return config
