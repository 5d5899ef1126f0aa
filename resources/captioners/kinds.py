"""The captioners that come with the package, as entries of a collection file."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import ClassVar, Literal

from pydantic import Field

from resources.annotation.annotator import Annotator
from resources.annotation.declaration import PIXELS, AnnotatorSettings, Column, Declaration, Role, Scene
from resources.engine.fingerprint import model_cache


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
        raise NotImplementedError

    @contextmanager
    def open(self, scene: Scene) -> Iterator[Mapping[str, Annotator]]:  # noqa: D102
        with closing(self.captioner(scene)) as captioner:
            yield {self.step: captioner}


class LocalModel(AnnotatorSettings):
    """A model on the devices of this machine."""

    pool: ClassVar[str | None] = "gpu"
    model: str | None = Field(
        default=None, description="Local folder or hub id; default: the embedded demonstration model."
    )
    batch_size: int = Field(
        default=8, gt=0, description="Clips in a batch; halved by itself when memory runs out."
    )
    dtype: str = Field(
        default="auto", description="Arithmetic of the model: auto, float32, bfloat16, float16."
    )
    attention: str = Field(default="sdpa", description="Attention kernel: sdpa, eager, or flash_attention_2.")
    device: str = Field(default="auto", description="auto (a free GPU, else the CPU), cpu, cuda or cuda:N.")
    tensor_parallel_size: int = Field(default=1, gt=0, description="GPUs that share one copy of a model.")


class Pllava(LocalModel, Captioner):
    """Captions by PLLaVA, from four frames pooled in time and space."""

    icons: ClassVar[frozenset[str]] = frozenset({"pytorch", "huggingface"})
    kind: Literal["pllava"] = "pllava"
    name: str = "pllava"
    adapter: str | None = Field(default=None, description="A PLLaVA weight_dir or a PEFT adapter folder.")
    lora_alpha: float | None = Field(default=None, description="LoRA scale numerator.")
    num_frames: int | None = Field(default=None, description="Frames a clip.")
    pooling_shape: list[int] | None = Field(
        default=None, description="Frames × height × width after pooling."
    )
    query: str = Field(default="Describe the video in details.", description="The user turn.")
    merge_adapter: bool | None = Field(default=None, description="Fold the adapter into the weights.")
    max_new_tokens: int = Field(default=256, gt=0, description="Longest caption, in tokens.")

    def captioner(self, scene: Scene) -> Annotator:  # noqa: D102
        from resources.captioners.pllava import PllavaCaptioner

        return PllavaCaptioner(**self.own(), frames=scene.frames, cache=model_cache(scene.lake))


class Transformers(LocalModel, Captioner):
    """Captions by LLaVA-1.6, or any image-text-to-text checkpoint with a chat template."""

    icons: ClassVar[frozenset[str]] = frozenset({"pytorch", "huggingface"})
    kind: Literal["transformers"] = "transformers"
    num_frames: int | None = Field(default=None, description="Frames a clip.")
    short_side: int = Field(
        default=336, gt=0, description="Frames with a longer shorter side are resized to it."
    )
    max_new_tokens: int = Field(default=300, gt=0, description="Longest caption, in tokens.")

    def captioner(self, scene: Scene) -> Annotator:  # noqa: D102
        from resources.captioners.llava import LlavaCaptioner

        return LlavaCaptioner(**self.own(), frames=scene.frames, cache=model_cache(scene.lake))
