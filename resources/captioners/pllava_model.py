"""PLLaVA as a LLaVA whose projected image features are pooled over time and space."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import adaptive_avg_pool3d
from transformers import LlavaConfig, LlavaForConditionalGeneration, LlavaModel, PreTrainedModel

from resources.captioners.pllava_weights import (
    PLAIN_NAMES,
    AdapterWeights,
    has_low_rank,
    is_peft_adapter,
    is_whole,
    read_adapter_weights,
)
from resources.engine.model_spec import ModelSpec, WeightsError, load_checked, quiet_loading


def pool_features(features: torch.Tensor, grid: tuple[int, int], shape: tuple[int, int, int]) -> torch.Tensor:
    """Average the features of one video's frames over time and space.

    Args:
        features: (frames, rows * columns of patches, width).
        grid: rows and columns of patches in a frame.
        shape: frames, rows and columns to keep. Windows may be uneven; a size that is already right is kept.

    Returns:
        (kept frames * kept rows * kept columns, width), in the order time, row, column.
    """
    frames, _, width = features.shape
    video = features.permute(2, 0, 1).reshape(width, frames, *grid)
    return adaptive_avg_pool3d(video, shape).reshape(width, -1).transpose(0, 1)


class PllavaModel(LlavaModel):
    """LLaVA's inner model; only what it makes of the frames differs."""

    def get_image_features(self, pixel_values: torch.Tensor, **kwargs: Any) -> Any:
        """Project every frame by itself, then pool each video.

        ``pixel_values``: (videos * frames, 3, side, side); the ``pooler_output`` has one
        (tokens, width) tensor for each video.
        """
        outputs = super().get_image_features(pixel_values, **kwargs)
        features = torch.stack(list(outputs.pooler_output))
        side = self.config.vision_config.image_size // self.config.vision_config.patch_size
        outputs.pooler_output = [
            pool_features(video, (side, side), tuple(self.config.pooling_shape))
            for video in features.split(self.config.num_frames)
        ]
        return outputs


@dataclass(frozen=True, kw_only=True)
class PllavaSpec(ModelSpec):
    """A PLLaVA to load: release dumps, a llava base with an adapter folder, or merged weights.

    ``adapter`` is a PEFT adapter folder or a PLLaVA weight folder (``None``: ``folder`` is used if it
    holds low-rank matrices). ``merge`` folds the adapter into the weights, in float32.
    """

    num_frames: int
    pooling_shape: tuple[int, int, int]
    adapter: Path | None = None
    lora_alpha: float | None = None
    merge: bool = True

    def load(self, devices: Sequence[torch.device]) -> PreTrainedModel:  # noqa: D102
        adapter = self.adapter or (self.folder if has_low_rank(self.folder) else None)
        whole = adapter is not None and not is_peft_adapter(adapter) and is_whole(adapter)
        source = adapter if adapter is not None and whole else self.folder
        model = self._load_base(source, devices)
        model.model.__class__ = PllavaModel
        if adapter is not None:
            self._adapt(model, adapter, whole)
        return model.eval()

    def _load_base(self, source: Path, devices: Sequence[torch.device]) -> LlavaForConditionalGeneration:
        with (
            quiet_loading()
        ):  # a llava-v1.6 base calls itself another type, and is meant to be read as this one
            config = LlavaConfig.from_pretrained(source)
        config.num_frames = self.num_frames
        config.pooling_shape = list(self.pooling_shape)
        # A subclass would get no key conversion from the library, and would silently stay random.
        arguments = {"config": config, "key_mapping": PLAIN_NAMES, **self.loading_arguments(devices)}
        return load_checked(
            LlavaForConditionalGeneration, source, arguments, ignorable=(".lora_", "image_newline")
        )

    def _adapt(self, model: LlavaForConditionalGeneration, adapter: Path, whole: bool) -> None:
        if is_peft_adapter(adapter):
            _attach(model, adapter, self.lora_alpha, self.merge)
            return
        weights = read_adapter_weights(adapter, lora_only=whole)
        _replace(model, weights, adapter)
        with tempfile.TemporaryDirectory(prefix="vidcap-adapter-") as folder:
            weights.write_adapter(Path(folder), self.lora_alpha if self.lora_alpha is not None else 4)
            _attach(model, Path(folder), None, self.merge)


def _replace(model: LlavaForConditionalGeneration, weights: AdapterWeights, adapter: Path) -> None:
    own = model.state_dict()
    if unknown := sorted(name for name in weights.replaced if name not in own):
        raise WeightsError(
            f"the weights in '{adapter}' do not fit the model; unexpected: {', '.join(unknown[:12])}"
        )
    for name, tensor in weights.replaced.items():
        if own[name].shape != tensor.shape:
            raise WeightsError(
                f"the weight {name} in '{adapter}' is {tuple(tensor.shape)}, "
                f"the model has {tuple(own[name].shape)}"
            )
        own[name].copy_(tensor)


def _attach(model: LlavaForConditionalGeneration, adapter: Path, alpha: float | None, merge: bool) -> None:
    """Put the adapter's layers into ``model``, in place; ``alpha`` overrules the adapter's own."""
    from peft import PeftConfig, PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    weights = adapter / "adapter_model.safetensors"
    if not weights.is_file():
        raise WeightsError(f"the PEFT adapter folder '{adapter}' has no adapter_model.safetensors")
    config = PeftConfig.from_pretrained(str(adapter))
    if alpha is not None:
        config.lora_alpha = alpha
    adapted = PeftModel.from_pretrained(model, str(adapter), config=config, autocast_adapter_dtype=False)
    with safe_open(weights, "pt") as tensors:
        given = set(tensors.keys())
    expected = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    if given != expected:
        raise WeightsError(
            f"the adapter '{adapter}' does not fit the model; missing: {sorted(expected - given)[:12]}, "
            f"unexpected: {sorted(given - expected)[:12]}"
        )
    if merge:
        _merge_in_float32(adapted, model.dtype)


def _merge_in_float32(adapted: Any, dtype: torch.dtype) -> None:
    """Fold the low-rank layers into the weights, layer by layer, without rounding in between."""
    from peft.tuners.lora import LoraLayer

    for layer in adapted.modules():
        if isinstance(layer, LoraLayer):
            layer.float()
            layer.merge()
            layer.to(dtype)
    adapted.unload()
