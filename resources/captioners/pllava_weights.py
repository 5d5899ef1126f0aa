"""The checkpoint layouts that PLLaVA comes in, told by the names of their weights.

A release such as ``ermu2001/pllava-13b`` is a dump of a model with LoRA layers inside: its language model
sits under PEFT's names and the low-rank matrices lie beside the weights they adapt. A training run on top of
a llava-v1.6 base writes only those matrices and the projector. Both are brought here to what current
libraries load: plain LLaVA names, and a PEFT adapter folder.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resources.engine.model_spec import WeightsError

if TYPE_CHECKING:
    import torch

PLAIN_NAMES = {r"^language_model\.base_model\.model\.": "language_model.", r"\.base_layer\.": "."}
"""For ``from_pretrained(key_mapping=...)``: the dump's names to those of a LLaVA checkpoint."""

_LORA = re.compile(r"(?P<layer>.+)\.lora_(?P<side>[AB])(\.default)?\.weight")
_OLD_LANGUAGE_MODEL = re.compile(r"^(base_model\.model\.)?language_model\.base_model\.model\.(model\.)?")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a PLLaVA weight folder, by the original's rule.

    ``model.safetensors`` if there are no shards ``model-0*``, else the shards.

    Raises:
        WeightsError: the folder has neither.
    """
    shards = sorted(folder.glob("model-0*.safetensors"))
    whole = folder / "model.safetensors"
    if files := shards or ([whole] if whole.is_file() else []):
        return files
    raise WeightsError(
        f"the folder '{folder}' holds neither model.safetensors nor shards model-0*.safetensors"
    )


def weight_names(folder: Path) -> Iterator[str]:
    """The names of all weights in a folder, without reading the weights."""
    from safetensors import safe_open

    for file in weight_files(folder):
        with safe_open(file, "pt") as tensors:
            yield from tensors.keys()


def is_peft_adapter(folder: Path) -> bool:
    """Is this a folder as PEFT writes it?"""
    return (folder / "adapter_config.json").is_file()


def has_low_rank(folder: Path) -> bool:
    """Does this folder hold low-rank matrices beside, or instead of, whole weights?"""
    return any(_LORA.fullmatch(name) for name in weight_names(folder))


def is_whole(folder: Path) -> bool:
    """Does this folder hold all of a model, not only what was trained on top of a base?"""
    return any(name.endswith(".embed_tokens.weight") for name in weight_names(folder))


@dataclass(frozen=True)
class AdapterWeights:
    """What a PLLaVA weight folder adds to a base model.

    ``lora`` maps PEFT's names (``base_model.model.…lora_A.weight``) to tensors of (rank, in) and (out, rank);
    ``replaced`` maps the model's own names to whole tensors that take the place of the base's.
    """

    lora: Mapping[str, "torch.Tensor"]
    replaced: Mapping[str, "torch.Tensor"]

    @property
    def rank(self) -> int:
        """Rows of the A matrices.

        Raises:
            WeightsError: there are none, or they differ.
        """
        ranks = {tensor.shape[0] for name, tensor in self.lora.items() if ".lora_A." in name}
        if len(ranks) != 1:
            raise WeightsError(
                f"LoRA matrices of one rank were expected, found the ranks {sorted(ranks) or 'none'}"
            )
        return ranks.pop()

    @property
    def adapted_layers(self) -> list[str]:
        """Names of the linear layers that are adapted, as the model has them."""
        return sorted(
            {
                name.removeprefix("base_model.model.").split(".lora_")[0]
                for name in self.lora
                if ".lora_A." in name
            }
        )

    def write_adapter(self, folder: Path, alpha: float) -> None:
        """Write the low-rank part as a PEFT adapter folder, scaled by ``alpha / rank``."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_file(
            {name: tensor.contiguous() for name, tensor in self.lora.items()},
            folder / "adapter_model.safetensors",
        )
        pattern = "|".join(re.escape(name) for name in self.adapted_layers)
        config = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "r": self.rank,
            "lora_alpha": alpha,
            "lora_dropout": 0.0,
            "bias": "none",
            "target_modules": f"({pattern})",
            "inference_mode": True,
        }
        (folder / "adapter_config.json").write_text(json.dumps(config, indent=2))


def read_adapter_weights(folder: Path, *, lora_only: bool = False) -> AdapterWeights:
    """Read a PLLaVA weight folder; with ``lora_only``, leave out the whole weights (the base has them).

    Raises:
        WeightsError: the folder holds no weights, or no low-rank matrices.
    """
    from safetensors import safe_open

    lora: dict[str, torch.Tensor] = {}
    replaced: dict[str, torch.Tensor] = {}
    for file in weight_files(folder):
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - a safetensors file is no mapping
                if match := _LORA.fullmatch(name):
                    layer = model_name(match["layer"])
                    lora[f"base_model.model.{layer}.lora_{match['side']}.weight"] = tensors.get_tensor(name)
                elif not lora_only and name != "image_newline":
                    replaced[model_name(name)] = tensors.get_tensor(name)
    if not lora:
        raise WeightsError(f"the adapter folder '{folder}' holds no LoRA matrices (…lora_A…, …lora_B…)")
    return AdapterWeights(lora, replaced)


def model_name(name: str) -> str:
    """The name that the current LLaVA class gives to a weight of an old checkpoint."""
    name = name.replace(".base_layer.", ".")
    if name in ("language_model.base_model.model.lm_head.weight", "language_model.lm_head.weight"):
        return "lm_head.weight"
    name = _OLD_LANGUAGE_MODEL.sub("language_model.", name)
    name = re.sub(r"^language_model\.model\.", "language_model.", name)
    name = name.replace("vision_tower.vision_model.", "vision_tower.", 1)
    return name if name.startswith(("model.", "lm_head.")) else f"model.{name}"
