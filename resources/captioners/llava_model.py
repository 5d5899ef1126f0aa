"""LLaVA-1.6 and its like: whatever the image-text-to-text auto class loads."""

from dataclasses import dataclass

import torch
from transformers import AutoModelForImageTextToText, PreTrainedModel

from resources.engine.model_spec import ModelSpec, load_checked


@dataclass(frozen=True, kw_only=True)
class ImageTextSpec(ModelSpec):
    """An image-text-to-text model in the library's own format."""

    def load(self, device: torch.device) -> PreTrainedModel:  # noqa: D102
        return load_checked(AutoModelForImageTextToText, self.folder, self.loading_arguments(device))
