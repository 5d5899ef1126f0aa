"""Captions from the frames of a video, or from an image, by a checkpoint that transformers loads."""

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from resources.annotation.clip import Clip, Kind
from resources.annotation.outcome import ClipError, ErrorKind
from resources.annotation.recipe import Recipe
from resources.captioners.prompted import PromptedCaptioner
from resources.captioners.prompts import check_frames, prompts_of, resolve_prompt
from resources.captioners.vision_inputs import load_processor, picture_inputs, takes_videos, video_inputs
from resources.engine.checkpoint import Checkpoint
from resources.engine.model_annotator import (
    MODEL_LABELS,
    LazyEngine,
    ModelAnnotator,
    Once,
    context_problem,
    model_identity,
)
from resources.video.sampling import FrameRule

if TYPE_CHECKING:
    from resources.captioners.kinds import Transformers
    from resources.engine.chat import ChatFormat
    from resources.engine.model_spec import ImageTextSpec
    from resources.engine.rows import Row
    from resources.video import FrameReader

_log = logging.getLogger(__name__)
CONVERTED = {
    "liuhaotian/llava-v1.6-mistral-7b": "llava-hf/llava-v1.6-mistral-7b-hf",
    "liuhaotian/llava-v1.6-vicuna-7b": "llava-hf/llava-v1.6-vicuna-7b-hf",
    "liuhaotian/llava-v1.6-vicuna-13b": "llava-hf/llava-v1.6-vicuna-13b-hf",
    "liuhaotian/llava-v1.6-34b": "llava-hf/llava-v1.6-34b-hf",
}


class TransformersCaptioner(PromptedCaptioner, ModelAnnotator):
    """Captions by LLaVA-1.6 or any image-text-to-text checkpoint with a chat template.

    Videos are shown by Open-Sora's points for 1 to 3 frames and by PLLaVA's rule beyond. Frames that are larger than
    ``short_side`` either way are scaled to this shorter side, bicubic, as Open-Sora does.

    Args:
        settings: the entry of the collection file.
        frames: reads the frames.
        cache: where fingerprints of weight files are remembered.

    Raises:
        AnnotatorError: settings that cannot be used.
    """

    def __init__(self, settings: "Transformers", frames: "FrameReader", cache: Path | None = None) -> None:
        super().__init__(LazyEngine(settings.placement, settings.max_new_tokens), settings.batch_size)
        self.settings = settings
        self._frames = frames
        self._checkpoint = settings.checkpoint()
        if (converted := CONVERTED.get(self._checkpoint.source)) is not None:
            _log.info("%s is in LLaVA's own format: the same weights come from %s", settings.model, converted)
            self._checkpoint = Checkpoint.locate(converted)
        self._prompt = settings.prompt if settings.prompt is not None else "auto"
        self._cache = cache
        self._chat = Once(self._read_chat)
        self._takes_videos = Once(lambda: takes_videos(self._chat()))
        if settings.num_frames is not None:
            check_frames(self._prompt, settings.num_frames)

    @cached_property
    def num_frames(self) -> int:
        """Frames shown of a video."""
        wanted = self.settings.num_frames or self._checkpoint.json("config.json").get("num_frames") or 1
        check_frames(self._prompt, wanted)
        return wanted

    def _rule(self, kind: Kind) -> FrameRule:
        return FrameRule.for_captioning(self.num_frames if kind is Kind.VIDEO else 1)

    @cached_property
    def recipe(self) -> Recipe:  # noqa: D102
        return Recipe(
            self.settings.step,
            {
                **model_identity(self._checkpoint, self.engine.placement, self._cache),
                "frames": {kind.value: self._rule(kind).to_json() for kind in Kind},
                "short_side": self.settings.short_side,
                "prompt": [prompt.to_json() for prompt in prompts_of(self._prompt)],
                "max_new_tokens": self.engine.max_new_tokens,
                "code_version": self.settings.code_version,
            },
            MODEL_LABELS,
            self._checkpoint.formerly(self._cache),
        )

    def prepare(self, clip: Clip) -> "Row":
        """Decode, resize and tokenise one clip."""
        from resources.engine.rows import Row

        prompt = resolve_prompt(self._prompt, clip)
        chat = self._chat()
        for marker in (getattr(chat.owner, name, None) for name in ("image_token", "video_token")):
            if marker and marker in prompt.text:
                raise self.prompt_fault(clip, f"must not hold {marker}, which stands for what is shown")
        frames = self._frames.read(clip.path, clip.kind, self._rule(clip.kind).within(clip.span))
        images = [fit_short_side(frame, self.settings.short_side) for frame in frames.images]
        if len(images) > 1 and self._takes_videos():
            inputs = video_inputs(chat, images, frames.times_s, clip, prompt.text)
        else:
            inputs = picture_inputs(chat, images, prompt.text)
        details = {**frames.details, "frame_indices": [int(i) for i in frames.indices], "prompt": prompt.name}
        row = Row(inputs, details)
        shown = f"{len(images)} frame(s) of {images[0].width}x{images[0].height}"
        if problem := context_problem(row.length, self.engine.max_new_tokens, chat.context):
            # The sizes of its frames and its text are the clip's own: others may fit.
            raise ClipError(ErrorKind.REFUSED, f"clip '{clip.id}' ({shown}) with its prompt {problem}")
        return row

    def _read_chat(self) -> "ChatFormat":
        from resources.engine.chat import ChatFormat

        folder = self._checkpoint.folder()
        self._checkpoint.require_config()
        return ChatFormat.read(load_processor(folder), folder)

    @property
    def checkpoints(self) -> Sequence[Checkpoint]:  # noqa: D102
        return (self._checkpoint,)

    def model_spec(self) -> "ImageTextSpec":  # noqa: D102
        from resources.engine.model_spec import ImageTextSpec

        return ImageTextSpec(
            folder=self._checkpoint.folder(),
            placement=self.engine.placement,
            end_ids=self._chat().end_ids,
        )

    def decode(self, ids: Sequence[int]) -> str:  # noqa: D102
        return self._chat().decode(ids)


def fit_short_side(frame: np.ndarray, side: int) -> Image.Image:
    """Scale a (H, W, 3) uint8 frame that exceeds ``side`` in width or height to that shorter side, bicubic."""
    image = Image.fromarray(frame)
    if max(image.size) <= side:
        return image
    width, height = image.size
    longer = int(side * max(width, height) / min(width, height))
    size = (side, longer) if width <= height else (longer, side)
    return image if size == image.size else image.resize(size, Image.Resampling.BICUBIC)
