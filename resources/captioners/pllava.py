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
from resources.engine.model_annotator import (
    MODEL_LABELS,
    LazyEngine,
    ModelAnnotator,
    Once,
    context_problem,
    model_identity,
)
from resources.video.sampling import FrameRule, RuleKind

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from transformers.image_processing_utils import BaseImageProcessor

    from resources.captioners.kinds import Pllava
    from resources.captioners.pllava_model import PllavaSpec
    from resources.engine.rows import Row
    from resources.video import FrameReader

RELEASE_GRID = 24
RELEASE_FRAMES, RELEASE_POOLING = 4, (4, 12, 12)
TURN_END = "ASSISTANT:"


def conversation(system: str, query: str) -> str:
    """The text put to PLLaVA: its conversation layout, with one ``<image>`` for all frames."""
    return f"{system} USER:<image> {query} {TURN_END}"


class PllavaCaptioner(PromptedCaptioner, ModelAnnotator):
    """Captions by PLLaVA, as Open-Sora runs it.

    Without ``num_frames`` and ``pooling_shape``, models with the releases' 24 x 24 patches get 4 and (4, 12, 12),
    and others what their config says.

    Args:
        settings: the entry of the collection file.
        frames: reads the frames.
        cache: where fingerprints of weight files are remembered.

    Raises:
        AnnotatorError: settings that cannot be used.
    """

    def __init__(self, settings: "Pllava", frames: "FrameReader", cache: Path | None = None) -> None:
        super().__init__(LazyEngine(settings.placement, settings.max_new_tokens), settings.batch_size)
        self.settings = settings
        self._frames = frames
        self._checkpoint = settings.checkpoint()
        adapter = settings.adapter or (settings.demo_adapter if settings.uses_demo_model else None)
        self._adapter = Checkpoint.locate(adapter) if adapter is not None else None
        self._prompt = settings.prompt if settings.prompt is not None else "pllava"
        self._cache = cache
        self._processors = Once(self._load_processors)
        prompts_of(self._prompt)

    @cached_property
    def num_frames(self) -> int:
        """Frames shown of each clip."""
        return self.settings.num_frames or self._checkpoint_settings[0]

    @cached_property
    def pooling_shape(self) -> tuple[int, int, int]:
        """(frames, rows, columns) of features kept of each clip."""
        frames, rows, columns = self.settings.pooling_shape or self._checkpoint_settings[1]
        if min(frames, rows, columns) < 1:
            raise AnnotatorError(
                f"pooling_shape must be three positive numbers, not {self.settings.pooling_shape}"
            )
        return frames, rows, columns

    @cached_property
    def _config(self) -> dict[str, Any]:
        config = self._adapter.json("config.json") if self._adapter else {}
        return config or self._checkpoint.json("config.json")

    @cached_property
    def _checkpoint_settings(self) -> tuple[int, tuple[int, ...]]:
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
    def _merged_in_recipe(self) -> bool:
        """As 0.1.0 wrote it, which merged by default in float32 only: existing captions are not asked for again."""
        merge = self.settings.merge_adapter
        return self.engine.placement.dtype == "float32" if merge is None else merge

    @cached_property
    def recipe(self) -> Recipe:  # noqa: D102
        placement = self.engine.placement
        return Recipe(
            self.settings.step,
            {
                **model_identity(self._checkpoint, placement, self._cache),
                "adapter": self._adapter.identity(self._cache) if self._adapter else None,
                "lora_alpha": self.settings.lora_alpha,
                "merged": self._merged_in_recipe,
                "frames": self._rule.to_json(),
                "pooling_shape": list(self.pooling_shape),
                "prompt": [prompt.to_json() for prompt in prompts_of(self._prompt)],
                "query": self.settings.query,
                "max_new_tokens": self.engine.max_new_tokens,
                "code_version": self.settings.code_version,
            },
            MODEL_LABELS,
            self._formerly(),
        )

    def _formerly(self) -> dict[str, Any]:
        former: dict[str, Any] = {**self._checkpoint.formerly(self._cache)}
        return former | ({"adapter": self._adapter.formerly(self._cache)} if self._adapter else {})

    def prepare(self, clip: Clip) -> "Row":
        """Decode, resize and tokenise one clip."""
        import torch

        from resources.captioners.pllava_pixels import preprocess
        from resources.engine.rows import Row

        prompt = resolve_prompt(self._prompt, clip)
        tokenizer, processor = self._processors()
        ids = tokenizer(conversation(prompt.text, self.settings.query))["input_ids"]
        if (markers := ids.count(self._image_token)) != 1:
            raise self.prompt_fault(
                clip,
                f"must hold <image> (token {self._image_token}) exactly once, not {markers} times: take it out of "
                "the prompt, the query or the text",
            )
        ids = self._with_visual_tokens(ids)
        if problem := context_problem(len(ids), self.engine.max_new_tokens, self._context):
            raise self.prompt_fault(clip, f"with the frames {problem}")
        frames = self._frames.read(clip.path, clip.kind, self._rule.within(clip.span))
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
        self._checkpoint.require_config()
        return AutoTokenizer.from_pretrained(folder), CLIPImageProcessorPil.from_pretrained(folder)

    @property
    def checkpoints(self) -> Sequence[Checkpoint]:  # noqa: D102
        return (self._checkpoint, self._adapter) if self._adapter else (self._checkpoint,)

    def model_spec(self) -> "PllavaSpec":  # noqa: D102
        from resources.captioners.pllava_model import PllavaSpec

        return PllavaSpec(
            folder=self._checkpoint.folder(),
            placement=self.engine.placement,
            num_frames=self.num_frames,
            pooling_shape=self.pooling_shape,
            adapter=self._adapter.folder() if self._adapter else None,
            lora_alpha=self.settings.lora_alpha,
            merge=self.settings.merge_adapter is not False,
        )

    def decode(self, ids: Sequence[int]) -> str:  # noqa: D102
        tokenizer, _ = self._processors()
        return tokenizer.decode(list(ids), skip_special_tokens=True)
