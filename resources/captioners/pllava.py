"""PLLaVA: captions from a few frames whose features are pooled over time and space."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.annotation.clip import Clip
from resources.annotation.outcome import AnnotatorError
from resources.annotation.recipe import Recipe
from resources.captioners.prompted import PromptedCaptioner
from resources.captioners.prompts import prompts_of, resolve_prompt
from resources.engine.checkpoint import Checkpoint
from resources.engine.model_annotator import LazyEngine, ModelAnnotator, context_problem, model_identity
from resources.engine.once import Once
from resources.engine.placement import Placement
from resources.video import FrameReader
from resources.video.sampling import FrameRule, RuleKind

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from transformers.image_processing_utils import BaseImageProcessor

    from resources.captioners.pllava_model import PllavaSpec
    from resources.engine.rows import Row

CODE_VERSION = 1
EMBEDDED = Path(__file__).parents[1] / "demo" / "checkpoints"
RELEASE_GRID = 24
RELEASE_FRAMES, RELEASE_POOLING = 4, (4, 12, 12)
RELEASE_ALPHA = 4
QUERY = "Describe the video in details."
TURN_END = "ASSISTANT:"


def conversation(system: str, query: str) -> str:
    """The text put to PLLaVA: its conversation layout, with one ``<image>`` for all frames."""
    return f"{system} USER:<image> {query} {TURN_END}"


class PllavaCaptioner(PromptedCaptioner, ModelAnnotator):
    """Captions by PLLaVA, as Open-Sora runs it.

    Args:
        frames: reads the frames.
        model: a folder or hub id: a PLLaVA release (``ermu2001/pllava-13b``), a llava-v1.6 base that
            ``adapter`` sits on, or merged weights. Default: the embedded tiny one, with its adapter.
        adapter: a PLLaVA weight folder (LoRA and projector) or a PEFT adapter folder, or a hub id of one.
        lora_alpha: scale of the adapter; ``None`` takes a PEFT adapter's own, or 4.
        num_frames, pooling_shape: frames shown, and (frames, rows, columns) of features kept. ``None``
            takes 4 and (4, 12, 12) for models with the releases' 24 x 24 patches, and what the checkpoint's
            config says for others.
        prompt: the system text: a preset's name or the text itself.
        query: the user's turn.
        merge_adapter: fold the adapter into the weights; ``None`` does so in float32 only, where it
            changes nothing but speed.
        dtype, attention, device, tensor_parallel_size: see :class:`~resources.engine.placement.Placement`.
        cache: where fingerprints of weight files are remembered.

    Raises:
        AnnotatorError: settings that cannot be used.
    """

    def __init__(
        self,
        frames: FrameReader,
        *,
        model: str | Path | None = None,
        adapter: str | Path | None = None,
        lora_alpha: float | None = None,
        num_frames: int | None = None,
        pooling_shape: Sequence[int] | None = None,
        prompt: str | None = None,
        query: str = QUERY,
        max_new_tokens: int = 256,
        batch_size: int = 8,
        dtype: str = "auto",
        attention: str = "auto",
        device: str = "auto",
        tensor_parallel_size: int = 1,
        merge_adapter: bool | None = None,
        cache: Path | None = None,
    ) -> None:
        placement = Placement.choose(device, dtype, attention, tensor_parallel_size)
        if merge_adapter and tensor_parallel_size > 1:
            raise AnnotatorError("merge_adapter does not work on a split model: leave it unset")
        super().__init__(LazyEngine(placement, max_new_tokens), batch_size)
        if model is None:
            model, adapter = EMBEDDED / "tiny-llava-next", adapter or EMBEDDED / "tiny-pllava"
        self._frames = frames
        self._checkpoint = Checkpoint.locate(model)
        self._adapter = Checkpoint.locate(adapter) if adapter is not None else None
        self._lora_alpha = lora_alpha
        self._wanted_frames, self._wanted_shape = num_frames, pooling_shape
        self._prompt, self._query = prompt if prompt is not None else "pllava", query
        self._merge = merge_adapter
        self._cache = cache
        self._processors = Once(self._load_processors)
        prompts_of(self._prompt)

    @cached_property
    def num_frames(self) -> int:
        """Frames shown of each clip."""
        return self._wanted_frames or self._settings[0]

    @cached_property
    def pooling_shape(self) -> tuple[int, int, int]:
        """(frames, rows, columns) of features kept of each clip."""
        frames, rows, columns = self._wanted_shape or self._settings[1]
        if min(frames, rows, columns) < 1:
            raise AnnotatorError(f"pooling_shape must be three positive numbers, not {self._wanted_shape}")
        return frames, rows, columns

    @cached_property
    def _config(self) -> dict[str, Any]:
        config = self._adapter.json("config.json") if self._adapter else {}
        return config or self._checkpoint.json("config.json")

    @cached_property
    def _settings(self) -> tuple[int, tuple[int, ...]]:
        vision = self._config.get("vision_config", {})
        grid = vision.get("image_size", 336) // vision.get("patch_size", 14)
        if grid == RELEASE_GRID or "pooling_shape" not in self._config:
            return RELEASE_FRAMES, RELEASE_POOLING
        return int(self._config["num_frames"]), tuple(self._config["pooling_shape"])

    @cached_property
    def _context(self) -> int | None:
        from resources.engine.model_spec import context_length

        return context_length(self._checkpoint.folder())

    @property
    def _rule(self) -> FrameRule:
        return FrameRule(RuleKind.PLLAVA, self.num_frames)

    @property
    def _merges(self) -> bool:
        if self._merge is not None:
            return self._merge
        return self.engine.placement.dtype == "float32" and self.engine.placement.parts == 1

    @cached_property
    def recipe(self) -> Recipe:  # noqa: D102
        placement = self.engine.placement
        return Recipe(
            "captions_pllava",
            {
                **model_identity(self._checkpoint, placement, self._cache),
                "adapter": self._adapter.identity(self._cache) if self._adapter else None,
                "lora_alpha": self._lora_alpha,
                "merged": self._merges,
                "frames": self._rule.to_json(),
                "pooling_shape": list(self.pooling_shape),
                "prompt": [prompt.to_json() for prompt in prompts_of(self._prompt)],
                "query": self._query,
                "max_new_tokens": self.engine.max_new_tokens,
                "code_version": CODE_VERSION,
            },
        )

    def prepare(self, clip: Clip) -> "Row":
        """Decode, resize and tokenise one clip."""
        import torch

        from resources.captioners.pllava_pixels import preprocess
        from resources.engine.rows import Row

        prompt = resolve_prompt(self._prompt, clip)
        tokenizer, processor = self._processors()
        ids = tokenizer(conversation(prompt.text, self._query))["input_ids"]
        if (markers := ids.count(self._image_token)) != 1:
            raise self.prompt_fault(
                clip,
                f"must hold <image> (token {self._image_token}) exactly once, not {markers} times: take it out of "
                "the prompt, the query or the text",
            )
        ids = self._with_visual_tokens(ids)
        if problem := context_problem(len(ids), self.engine.max_new_tokens, self._context):
            raise self.prompt_fault(clip, f"with the frames {problem}")
        frames = self._frames.read(clip.path, clip.kind, self._rule)
        pixels = preprocess(frames.images, processor)
        details = {
            **frames.details,
            "frame_indices": [int(index) for index in frames.indices],
            "prompt": prompt.name,
        }
        return Row({"input_ids": torch.tensor([ids]), "pixel_values": pixels}, details)

    @property
    def _image_token(self) -> Any:
        return self._config.get("image_token_index", self._config.get("image_token_id"))

    def _with_visual_tokens(self, ids: list[int]) -> list[int]:
        """``ids`` with the one ``<image>`` repeated for every visual token."""
        place = ids.index(self._image_token)
        frames, rows, columns = self.pooling_shape
        return [*ids[:place], *ids[place : place + 1] * (frames * rows * columns), *ids[place + 1 :]]

    def _load_processors(self) -> tuple["PreTrainedTokenizerBase", "BaseImageProcessor"]:
        from transformers import AutoTokenizer
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

        folder = self._checkpoint.folder()
        return AutoTokenizer.from_pretrained(folder), CLIPImageProcessorPil.from_pretrained(folder)

    def model_spec(self) -> "PllavaSpec":  # noqa: D102
        from resources.captioners.pllava_model import PllavaSpec

        return PllavaSpec(
            folder=self._checkpoint.folder(),
            placement=self.engine.placement,
            num_frames=self.num_frames,
            pooling_shape=self.pooling_shape,
            adapter=self._adapter.folder() if self._adapter else None,
            lora_alpha=self._lora_alpha,
            merge=self._merges,
        )

    def decode(self, ids: Sequence[int]) -> str:  # noqa: D102
        tokenizer, _ = self._processors()
        return tokenizer.decode(list(ids), skip_special_tokens=True)
