"""How a model is loaded: what every captioner and the tagger tell the engine."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.annotation.ladder import is_out_of_memory
from resources.annotation.outcome import SetupError
from resources.engine.placement import Placement
from resources.words.judgement import shortened

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


_WEIGHTS_SHARE = 0.85


class WeightsError(SetupError):
    """A checkpoint lacks weights that the model needs, or has some that it cannot place."""


@dataclass(frozen=True, kw_only=True)
class ModelSpec(ABC):
    """How a model is loaded.

    ``folder`` holds its config, weights and tokenizer; ``end_ids`` end a text beside the tokens that the
    checkpoint's generation settings name; ``schema`` is the JSON Schema that answers are held to, if any.
    """

    folder: Path
    placement: Placement
    end_ids: tuple[int, ...] = ()
    schema: str | None = None

    @abstractmethod
    def load(self, devices: "Sequence[torch.device]") -> "PreTrainedModel":
        """The model on ``devices`` in evaluation mode, with every weight from the checkpoint.

        Raises:
            WeightsError: naming the missing or unexpected weights.
            AnnotatorError: the checkpoint is of another kind, or cannot compute as placed.
        """

    def loading_arguments(self, devices: "Sequence[torch.device]") -> dict[str, Any]:
        """What every ``from_pretrained`` gets."""
        arguments: dict[str, Any] = {
            "dtype": self.placement.torch_dtype(),
            "attn_implementation": self.placement.attention,
            "output_loading_info": True,
            "ignore_mismatched_sizes": True,  # reported, and refused by check_weights with all the others
            "local_files_only": True,
            "trust_remote_code": False,  # unset, a checkpoint with code of its own asks on the terminal
        }
        if len(devices) == 1:
            return arguments | {"device_map": {"": devices[0]}}
        import torch

        room = {device.index: torch.cuda.mem_get_info(device)[0] for device in devices}
        # What is left over is for the key-value cache and the activations.
        return arguments | {
            "device_map": "balanced",
            "max_memory": {index: int(free * _WEIGHTS_SHARE) for index, free in room.items()},
        }


@dataclass(frozen=True, kw_only=True)
class ImageTextSpec(ModelSpec):
    """Whatever the image-text-to-text auto class loads."""

    def load(self, devices: "Sequence[torch.device]") -> "PreTrainedModel":  # noqa: D102
        from transformers import AutoModelForImageTextToText

        return load_checked(AutoModelForImageTextToText, self.folder, self.loading_arguments(devices))


@dataclass(frozen=True, kw_only=True)
class ChatSpec(ModelSpec):
    """A causal language model."""

    def load(self, devices: "Sequence[torch.device]") -> "PreTrainedModel":  # noqa: D102
        from transformers import AutoModelForCausalLM

        return load_checked(AutoModelForCausalLM, self.folder, self.loading_arguments(devices))


def load_checked(
    auto_class: Any, folder: Path, arguments: Mapping[str, Any], ignorable: Iterable[str] = ()
) -> "PreTrainedModel":
    """``auto_class.from_pretrained`` that refuses to fill gaps with random weights.

    Raises:
        WeightsError: see :func:`check_weights`.
        AnnotatorError: the checkpoint is not of this kind, or cannot use the attention asked for.
    """
    try:
        with quiet_loading():
            model, report = auto_class.from_pretrained(folder, **arguments)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise SetupError(
            f"cannot load '{folder}' by {auto_class.__name__}: {shortened(str(error), 300)}"
        ) from error
    check_weights(folder, report, ignorable)
    return model.eval()


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Without the library's own report on weights, which :func:`check_weights` replaces, and its bars."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def context_length(folder: Path) -> int | None:
    """How many tokens the language model of a checkpoint was built for; ``None`` if it does not say."""
    from transformers import AutoConfig

    return getattr(
        AutoConfig.from_pretrained(folder, trust_remote_code=False).get_text_config(),
        "max_position_embeddings",
        None,
    )


def check_weights(folder: Path, report: Mapping[str, Any], ignorable: Iterable[str] = ()) -> None:
    """Refuse a model that is in part random or whose checkpoint was only read in part.

    ``report`` is what ``from_pretrained(output_loading_info=True)`` gives; names of unexpected weights
    that contain one of ``ignorable`` are fine.

    Raises:
        WeightsError: naming the keys.
    """
    tolerated = tuple(ignorable)
    problems = {
        "missing": sorted(report["missing_keys"]),
        "unexpected": sorted(
            key for key in report["unexpected_keys"] if not any(part in key for part in tolerated)
        ),
        "of another shape": sorted(str(entry) for entry in report.get("mismatched_keys", ())),
        "unreadable": sorted(str(entry) for entry in report.get("error_msgs", ())),
    }
    found = [f"{len(keys)} {what}: {_shortened(keys)}" for what, keys in problems.items() if keys]
    if found:
        raise WeightsError(f"the weights in '{folder}' do not fit the model; {'; '.join(found)}")


def _shortened(keys: list[str], most: int = 12) -> str:
    rest = f" and {len(keys) - most} more" if len(keys) > most else ""
    return ", ".join(keys[:most]) + rest
