"""A chat model, by the library's causal language model class."""

from dataclasses import dataclass

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from resources.engine.model_spec import ModelSpec, load_checked


@dataclass(frozen=True, kw_only=True)
class ChatSpec(ModelSpec):
    """A causal language model."""

    def load(self, device: torch.device) -> PreTrainedModel:  # noqa: D102
        return load_checked(AutoModelForCausalLM, self.folder, self.loading_arguments(device))
