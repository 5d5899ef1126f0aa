"""Where and how a model computes: device, number type, attention; told without importing torch."""

import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resources.annotation.outcome import AnnotatorError, SetupError

if TYPE_CHECKING:
    import torch

_DEVICE = re.compile(r"cpu|cuda(:\d+)?")


def cuda_is_usable() -> bool:
    """Is there a driver, a CUDA or ROCm build of torch, and a device that is not hidden?"""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    if not (Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists() or Path("/dev/dxg").exists()):
        return False
    torch_spec = importlib.util.find_spec("torch")
    roots = torch_spec.submodule_search_locations if torch_spec else None
    return any(
        (Path(root) / "lib" / name).exists()
        for root in roots or ()
        for name in ("libtorch_cuda.so", "libtorch_hip.so")
    )


@dataclass(frozen=True, slots=True)
class Placement:
    """How a model is to compute; no ``auto`` is left in it.

    ``device`` is ``cpu``, ``cuda`` (any free device) or ``cuda:N``; ``devices`` is over how many of them the
    layers are spread.
    """

    device: str
    dtype: str
    attention: str
    devices: int = 1

    @classmethod
    def choose(
        cls, device: str = "auto", dtype: str = "auto", attention: str = "sdpa", tensor_parallel_size: int = 1
    ) -> "Placement":
        """Resolve ``auto``: CUDA where there is one, bfloat16 on it and float32 on a CPU, SDPA attention.

        Raises:
            AnnotatorError: an unknown name, or settings that cannot go together.
        """
        device = ("cuda" if cuda_is_usable() else "cpu") if device == "auto" else device
        on_cpu = device == "cpu"
        dtype = ("float32" if on_cpu else "bfloat16") if dtype == "auto" else dtype
        if not _DEVICE.fullmatch(device):
            raise SetupError(f"device '{device}' is unknown: use auto, cpu, cuda or cuda:N")
        if tensor_parallel_size > 1 and (on_cpu or ":" in device):
            raise SetupError(
                f"tensor_parallel_size {tensor_parallel_size} spreads a model over GPUs: with the device {device} "
                "leave it at 1"
            )
        if attention == "flash_attention_2" and on_cpu:
            raise SetupError("flash_attention_2 needs a CUDA device: use sdpa or eager on a CPU")
        if attention == "flash_attention_2" and dtype == "float32":
            raise SetupError("flash_attention_2 computes in half precision only: use bfloat16 or float16")
        return cls(device, dtype, attention, tensor_parallel_size)

    @property
    def on_cuda(self) -> bool:
        """Does the model run on CUDA devices, which have to be leased?"""
        return self.device != "cpu"

    def torch_dtype(self) -> "torch.dtype":
        """The dtype as torch knows it."""
        import torch

        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[self.dtype]

    def check_runtime(self, device: "torch.device | None" = None) -> None:
        """Ask torch whether all this can be done here and, if it is chosen already, on ``device``.

        Raises:
            AnnotatorError: no CUDA, no bfloat16 in hardware, or FlashAttention is not installed or not for it.
        """
        if not self.on_cuda:
            return
        import torch

        if not torch.cuda.is_available():
            raise AnnotatorError(
                f"device '{self.device}' was asked for, but torch {torch.__version__} sees no CUDA device"
            )
        if self.attention == "flash_attention_2" and importlib.util.find_spec("flash_attn") is None:
            raise AnnotatorError("flash_attention_2 needs the package flash-attn: install it, or use sdpa")
        # AMD's numbers count other generations, and its builds check for themselves.
        if device is None or torch.version.hip or torch.cuda.get_device_capability(device) >= (8, 0):
            return
        name = torch.cuda.get_device_name(device)
        if self.dtype == "bfloat16":
            raise AnnotatorError(f"the GPU '{name}' has no bfloat16: set dtype to float16 or float32")
        if self.attention == "flash_attention_2":
            raise AnnotatorError(
                f"the GPU '{name}' is too old for flash_attention_2, which needs compute capability 8.0: use sdpa"
            )
