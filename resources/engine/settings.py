"""What every entry says that answers by a model on this machine's devices."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field

from resources.annotation.declaration import AnnotatorSettings
from resources.annotation.outcome import AnnotatorError
from resources.engine.placement import Placement

if TYPE_CHECKING:
    from resources.engine.checkpoint import Checkpoint

DEMO = "demo"
EMBEDDED = Path(__file__).parents[1] / "demo" / "checkpoints"


class LocalModel(AnnotatorSettings):
    """A model in this process, on one or more devices of this machine."""

    pool: ClassVar[str | None] = "gpu"
    icons: ClassVar[frozenset[str]] = frozenset({"pytorch", "huggingface"})
    demo_model: ClassVar[Path]

    model: str | None = Field(
        default=None,
        description="Local folder or hub id (owner/name[@revision]); demo: the embedded demonstration model, which "
        "knows the demo clips and nothing else.",
    )
    batch_size: int = Field(
        default=8, gt=0, description="Clips in a batch; halved by itself when memory runs out."
    )
    max_new_tokens: int = Field(default=256, gt=0, description="Longest answer, in tokens.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="Arithmetic of the model: auto (bfloat16 on a GPU, float32 on the CPU), "
        "float32, bfloat16, float16.",
    )
    attention: Literal["sdpa", "eager", "flash_attention_2"] = Field(
        default="sdpa",
        description="Attention kernel: sdpa, eager, or flash_attention_2 where model, GPU and installation allow it.",
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="Where the model runs: auto (a free GPU, else the CPU), cpu, cuda or cuda:N.",
    )
    tensor_parallel_size: int = Field(
        default=1,
        gt=0,
        description="GPUs over which the layers of one copy are spread. For a model that is larger than a GPU: they "
        "compute one after the other, so it is no faster.",
    )

    def missing(self) -> str | None:  # noqa: D102
        if self.model is not None:
            return None
        return (
            f"{self.name}: no model is named; set model to a folder or hub id, or to demo for the demo model"
        )

    def for_demo(self) -> Self:  # noqa: D102
        return self if self.model is not None else self.model_copy(update={"model": DEMO})

    @property
    def uses_demo_model(self) -> bool:  # noqa: D102
        return self.model == DEMO

    @property
    def placement(self) -> Placement:
        """Where and how it computes.

        Raises:
            AnnotatorError: settings that cannot go together.
        """
        return Placement.choose(self.device, self.dtype, self.attention, self.tensor_parallel_size)

    def checkpoint(self) -> "Checkpoint":
        """Where the model's files are.

        Raises:
            AnnotatorError: no model is named, or it is neither a folder nor a hub id.
        """
        from resources.engine.checkpoint import Checkpoint

        if self.model is None:
            raise AnnotatorError(self.missing() or "", retryable=False)
        return Checkpoint.locate(self.demo_model if self.uses_demo_model else self.model)
