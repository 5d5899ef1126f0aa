"""The captioners that come with the package, as entries of a collection file."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from resources.annotation.annotator import Annotator
from resources.annotation.declaration import PIXELS, AnnotatorSettings, Column, Declaration, Role, Scene
from resources.engine.fingerprint import model_cache
from resources.engine.settings import EMBEDDED, LocalModel


class Captioner(AnnotatorSettings):
    """A captioner: the asset ``captions_<name>`` with the column ``caption_<name>``."""

    prompt: str | None = Field(default=None, description="A preset's name or the literal text to use.")

    @property
    def step(self) -> str:  # noqa: D102
        return f"captions_{self.name}"

    def declares(self) -> tuple[Declaration, ...]:  # noqa: D102
        column = Column(f"caption_{self.name}", meaning=f"caption by {self.name}")
        return (Declaration(self.step, Role.CAPTION, (column,), type(self).__doc__ or "", (PIXELS,)),)

    def captioner(self, scene: Scene) -> Annotator:
        """The annotator behind the entry; nothing of a model is loaded yet."""
        raise NotImplementedError

    @contextmanager
    def open(self, scene: Scene) -> Iterator[Mapping[str, Annotator]]:  # noqa: D102
        with closing(self.captioner(scene)) as captioner:
            yield {self.step: captioner}


class Pllava(LocalModel, Captioner):
    """Captions by PLLaVA, from a few frames pooled in time and space."""

    demo_model: ClassVar[Path] = EMBEDDED / "tiny-llava-next"
    demo_adapter: ClassVar[Path] = EMBEDDED / "tiny-pllava"

    kind: Literal["pllava"] = "pllava"
    name: str = "pllava"
    model: str | None = Field(
        default=None,
        description="Local folder or hub id of a PLLaVA release (ermu2001/pllava-13b), of a llava-v1.6 base that the "
        "adapter sits on, or of merged weights; demo: the embedded demonstration model.",
    )
    adapter: str | None = Field(
        default=None, description="A PLLaVA weight_dir or a PEFT adapter folder for that model."
    )
    lora_alpha: float | None = Field(
        default=None,
        description="LoRA scale numerator, as the checkpoint was trained with; default: a PEFT adapter's own, else 4.",
    )
    merge_adapter: bool | None = Field(
        default=None,
        description="Fold the adapter into the weights, which is faster; the sum is computed in float32. Default: yes.",
    )
    num_frames: int | None = Field(
        default=None, gt=0, description="Frames a clip; default: the checkpoint's, else 4."
    )
    pooling_shape: tuple[int, int, int] | None = Field(
        default=None,
        description="Frames × height × width after pooling; default: the checkpoint's, else 4 12 12.",
    )
    prompt: str | None = Field(
        default=None,
        description="The system text: a preset's name or the text itself; default: vidcap's own.",
    )
    query: str = Field(default="Describe the video in details.", description="The user turn.")

    def captioner(self, scene: Scene) -> Annotator:  # noqa: D102
        from resources.captioners.pllava import PllavaCaptioner

        return PllavaCaptioner(self, scene.frames, model_cache(scene.lake))


class Transformers(LocalModel, Captioner):
    """Captions by LLaVA-1.6, or any image-text-to-text checkpoint with a chat template."""

    demo_model: ClassVar[Path] = EMBEDDED / "tiny-llava-next"

    kind: Literal["transformers"] = "transformers"
    num_frames: int | None = Field(
        default=None,
        gt=0,
        description="Frames of a video, 1 to 3 for LLaVA-1.6; default: the checkpoint's, else 1. "
        "Images are shown once.",
    )
    short_side: int = Field(
        default=336, gt=0, description="Frames with a longer shorter side are resized to it."
    )
    prompt: str | None = Field(
        default=None,
        description="A preset's name or the literal text to use; default: one for videos and one for images.",
    )
    max_new_tokens: int = Field(default=300, gt=0, description="Longest caption, in tokens.")

    def captioner(self, scene: Scene) -> Annotator:  # noqa: D102
        from resources.captioners.transformers import TransformersCaptioner

        return TransformersCaptioner(self, scene.frames, model_cache(scene.lake))
