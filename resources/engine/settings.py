"""What every entry says that answers by a model on this machine's devices."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from resources.annotation.declaration import AnnotatorSettings, Scene
from resources.annotation.outcome import SetupError
from resources.annotation.secret import Secret
from resources.engine.placement import Placement

if TYPE_CHECKING:
    from resources.engine.checkpoint import Checkpoint
    from resources.engine.server import Server

DEMO = "demo"
EMBEDDED = Path(__file__).parents[1] / "demo" / "checkpoints"


class LocalModel(AnnotatorSettings):
    """A model in this process, on one or more devices of this machine."""

    pool: ClassVar[str | None] = "gpu"
    icons: ClassVar[frozenset[str]] = frozenset({"pytorch", "huggingface"})
    indifferent: ClassVar[frozenset[str]] = frozenset({"batch_size", "device", "tensor_parallel_size"})
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
        return self if self.model or not self.demo_model.exists() else self.model_copy(update={"model": DEMO})

    @property
    def uses_demo_model(self) -> bool:  # noqa: D102
        return self.model == DEMO

    def deciding(self) -> dict:
        """Of a folder its files, with their sizes and times: weights put in place of others are noticed."""
        said = super().deciding()
        for name in ("model", "adapter"):
            with suppress(OSError):  # what cannot be read is told by the step
                if said.get(name) and (folder := Path(said[name]).expanduser()).is_dir():
                    files = {one.name: one.stat() for one in folder.iterdir() if one.is_file()}
                    said[name] = {file: (stat.st_size, stat.st_mtime_ns) for file, stat in files.items()}
        return said

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
            raise SetupError(self.missing() or "")
        return Checkpoint.locate(self.demo_model if self.uses_demo_model else self.model)


class ServedModel(AnnotatorSettings):
    """A model behind a server with an OpenAI API: one that is there, or one that is started for the step."""

    indifferent: ClassVar[frozenset[str]] = frozenset(
        {"base_url", "api_key", "serve_devices", "serve_ready_s"}
    )

    base_url: str | None = Field(
        default=None, description="A server that is there, https://host/v1, without credentials."
    )
    api_key: Secret = Field(
        default=Secret("OPENAI_API_KEY"),
        description="The environment variable with the key, as '{{ env.NAME }}', never the key itself. "
        "Servers of your own may need none.",
    )
    serve: str | None = Field(
        default=None,
        description="A command that serves the model, started by the step and ended with it, such as "
        "'vllm serve {model} --port {port}'. {model}, {port} and {devices} are filled in.",
    )
    serve_devices: int = Field(
        default=1, gt=0, description="GPUs that are leased for serve, where there are any."
    )
    serve_ready_s: float = Field(
        default=1800.0,
        gt=0,
        description="Seconds that serve may take until it is ready, a download included.",
    )

    @model_validator(mode="after")
    def _serves_one_way(self) -> Self:
        if self.serve is not None and self.base_url is not None:
            raise ValueError(
                "name base_url, for a server that is there, or serve, for one to start, not both"
            )
        if self.serve is not None and "{port}" not in self.serve:
            raise ValueError(
                "serve needs {port}, where the port is filled in: vllm serve {model} --port {port}"
            )
        return self

    @property
    def is_served(self) -> bool:
        """Does a server answer, and no model in this process?"""
        return self.base_url is not None or self.serve is not None

    def server(self, model: str, scene: Scene) -> "Server | None":
        """What starts and ends the server of ``serve``; nothing is started yet."""
        from resources.engine.fingerprint import model_cache
        from resources.engine.server import Server

        if self.serve is None:
            return None
        folder = Path(model).expanduser()
        logs = scene.lake.local("logs") or model_cache(scene.lake) / "logs"
        return Server(
            self.serve,
            str(folder.resolve()) if folder.is_dir() else model,
            self.serve_devices,
            logs / f"serve-{self.name}-{scene.run_id}.log",
            self.serve_ready_s,
            scene.log,
        )
