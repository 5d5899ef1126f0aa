"""What a run can configure: each resource's fields, and how it builds the plain Python object behind them.

Nothing is loaded here: models load on the first batch, child processes start with the first clip.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from resources.cores import available_cores
from vidcap_assets import environment
from vidcap_assets.registered_executor import note_step_process

if TYPE_CHECKING:
    from resources.annotation.annotator import Annotator
    from resources.captioners.llava import LlavaCaptioner
    from resources.captioners.openai import OpenAICaptioner
    from resources.captioners.pllava import PllavaCaptioner
    from resources.lake import Lake
    from resources.source import Entry
    from resources.tagger import Tagger
    from resources.video import FrameReader, IsolatedWorkers
    from resources.warehouse import Warehouse

_DTYPE = "Arithmetic of the model: auto (bfloat16 on a GPU, float32 on the CPU), float32, bfloat16, float16."
_ATTENTION = "Attention kernel: sdpa, eager, or flash_attention_2 where model, GPU and installation allow it."
_DEVICE = "Where the model runs: auto (a free GPU, else the CPU), cpu, cuda or cuda:N."


class SourceResource(dg.ConfigurableResource):
    """The collection to caption."""

    uri: str = Field(
        default_factory=environment.source,
        description="A folder, or a .csv or .parquet list with a column path (optional: id, text); "
        "demo renders a small collection of its own.",
    )
    shard_size: int = Field(
        default_factory=environment.shard_size, gt=0, description="Clips in a new shard; shards never change."
    )

    def entries(self, lake: "Lake") -> "list[Entry]":
        """All clips of the source; the demo collection is rendered first, below the lake's root if that is local."""
        from resources.source import read_source

        if self.uri != environment.DEMO_SOURCE:
            return read_source(self.uri)
        from resources.demo.clips import render_demo_source
        from resources.engine.fingerprint import default_cache

        return read_source(render_demo_source(_local(lake, "demo") or default_cache() / "demo"))


class LakeResource(dg.ConfigurableResource):
    """Where everything is kept."""

    root: str = Field(
        default_factory=environment.home,
        description="Folder (or s3://… URI) of lake, journal, warehouse, reports and exports.",
    )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Every step opens the lake: here its process is noted in the run's log, for the reaper."""
        note_step_process(context)

    def open(self) -> "Lake":
        """The lake below the root."""
        from resources.lake import Lake

        return Lake(self.root)


class WarehouseResource(dg.ConfigurableResource):
    """The DuckDB database with the merged tables."""

    uri: str = Field(
        default_factory=environment.warehouse, description="Path of a DuckDB file, or a ducklake: URI."
    )
    lock_timeout_s: float = Field(
        default=600.0, description="Seconds to wait while another process has the database open."
    )

    def open(self, context: dg.AssetExecutionContext) -> "Warehouse":
        """The warehouse; what it waits for goes to the run's log."""
        from resources.warehouse import Warehouse

        return Warehouse(self.uri, lock_timeout_s=self.lock_timeout_s, log=context.log.warning)


class TextResource(dg.ConfigurableResource):
    """Which caption becomes the text of a clip, and so what is tagged."""

    order: list[str] = Field(
        default=["captions_gpt4v", "captions_pllava", "captions_llava"],
        description="Captioners, the preferred one first; after them comes the text of the source list.",
    )
    strip_prefix: bool = Field(
        default=False, description='Take "The video shows" and the like off a caption that becomes the text.'
    )
    camera_sentence: bool = Field(
        default=False, description='Add "Camera motion: pan left." to a caption that becomes the text.'
    )


class DecodeResource(dg.ConfigurableResource):
    """The child processes in which files are opened."""

    workers: int = Field(
        default=0, ge=0, description="Decoding processes; 0 for one a CPU core that this process may use."
    )
    timeout_s: float = Field(default=120.0, gt=0, description="Seconds one clip may take to decode.")
    memory_limit_gib: float = Field(
        default=4.0, ge=0, description="Address space of a decoding process in GiB; 0 for no limit."
    )
    backend: str = Field(
        default="auto", description="auto (chosen from the stream), pyav or decord; recorded in every row."
    )

    @property
    def worker_count(self) -> int:
        """The number of decoding processes, resolved."""
        return self.workers or available_cores()

    @contextmanager
    def open(self) -> "Iterator[IsolatedWorkers]":
        """The pool of decoding processes; they end with the context."""
        from resources.video import IsolatedWorkers

        with IsolatedWorkers(
            self.worker_count, self.timeout_s, memory_limit_bytes=int(self.memory_limit_gib * 1024**3)
        ) as workers:
            yield workers

    @contextmanager
    def frames(self) -> "Iterator[FrameReader]":
        """A frame reader on such a pool."""
        from resources.video import FrameReader

        with self.open() as workers:
            yield FrameReader(workers, backend=self.backend)


class LocalModelResource(dg.ConfigurableResource):
    """The fields that all models on this machine's devices share."""

    batch_size: int = Field(
        default=8, gt=0, description="Clips in a batch; halved by itself when memory runs out."
    )
    dtype: str = Field(default="auto", description=_DTYPE)
    attention: str = Field(default="sdpa", description=_ATTENTION)
    device: str = Field(default="auto", description=_DEVICE)
    tensor_parallel_size: int = Field(
        default=1, gt=0, description="GPUs that share one copy of a model which is larger than a GPU."
    )


class PllavaResource(LocalModelResource):
    """PLLaVA: video captions from pooled frames."""

    model: str | None = Field(
        default_factory=lambda: environment.setting("VIDCAP_PLLAVA_MODEL"),
        description="Local folder or hub id (ermu2001/pllava-13b); default: the embedded demonstration model.",
    )
    adapter: str | None = Field(
        default=None, description="A PLLaVA weight_dir or a PEFT adapter folder for that model."
    )
    lora_alpha: float | None = Field(
        default=None,
        description="LoRA scale numerator, as the checkpoint was trained with; default: a PEFT adapter's own, else 4.",
    )
    num_frames: int | None = Field(
        default=None, description="Frames a clip; default: the checkpoint's, else 4."
    )
    pooling_shape: list[int] | None = Field(
        default=None,
        description="Frames × height × width after pooling; default: the checkpoint's, else 4 12 12.",
    )
    prompt: str | None = Field(default=None, description="The system text; default: the product's own.")
    query: str = Field(default="Describe the video in details.", description="The user turn.")
    merge_adapter: bool | None = Field(
        default=None,
        description="Fold the adapter into the weights, which is faster; default: in float32 only, where it loses "
        "nothing.",
    )
    max_new_tokens: int = Field(default=256, gt=0, description="Longest caption, in tokens.")

    def captioner(self, frames: "FrameReader", lake: "Lake", run_id: str) -> "PllavaCaptioner":
        """The captioner; weights load on its first batch."""
        from resources.captioners.pllava import PllavaCaptioner

        return PllavaCaptioner(**_fields(self), frames=frames, cache=_cache(lake))


class LlavaResource(LocalModelResource):
    """LLaVA-1.6, or any image-text-to-text checkpoint with a chat template."""

    model: str | None = Field(
        default_factory=lambda: environment.setting("VIDCAP_LLAVA_MODEL"),
        description="Local folder or hub id; default: the embedded demonstration model.",
    )
    num_frames: int | None = Field(
        default=None, description="Frames a clip, 1 to 3 for LLaVA-1.6; default: the checkpoint's, else 1."
    )
    short_side: int = Field(
        default=336, gt=0, description="Frames with a longer shorter side are resized to it."
    )
    prompt: str | None = Field(
        default=None,
        description="A preset's name or the literal text to use; default: one for videos and one for images.",
    )
    max_new_tokens: int = Field(default=300, gt=0, description="Longest caption, in tokens.")

    def captioner(self, frames: "FrameReader", lake: "Lake", run_id: str) -> "LlavaCaptioner":
        """The captioner; weights load on its first batch."""
        from resources.captioners.llava import LlavaCaptioner

        return LlavaCaptioner(**_fields(self), frames=frames, cache=_cache(lake))


class Gpt4vResource(dg.ConfigurableResource):
    """GPT-4V, or any server that speaks the OpenAI API (vLLM, SGLang, transformers serve)."""

    model: str = Field(
        default_factory=lambda: environment.setting("VIDCAP_GPT4V_MODEL") or "gpt-4o",
        description="The model's name at the server.",
    )
    base_url: str | None = Field(
        default_factory=lambda: environment.setting("OPENAI_BASE_URL"),
        description="The server; default: OpenAI.",
    )
    api_key: str | None = Field(
        default=None,
        repr=False,
        description="The key as an environment variable, {env: NAME}, never written out; default: OPENAI_API_KEY.",
    )
    num_frames: int = Field(default=3, gt=0, description="Frames a clip, sent as JPEG in time order.")
    prompt: str = Field(
        default="auto",
        description="A preset's name or the literal text to use; auto: one for videos and one for images.",
    )
    max_tokens: int = Field(default=300, gt=0, description="Longest caption, in tokens.")
    max_concurrency: int = Field(default=16, gt=0, description="Requests in flight at most.")
    max_cost_usd: float | None = Field(
        default=None, description="What a run may spend; the rest is left to do."
    )
    prices: dict[str, dict[str, float]] = Field(
        default={},
        description="Dollars for a million tokens, by model: input, output and optionally cached_input. "
        "Adds to the built-in list, which may be out of date.",
    )
    detail: str = Field(
        default="low", description="How closely the server looks at a frame: low, high or auto."
    )
    short_side: int = Field(
        default=512, gt=0, description="Frames with a longer shorter side are resized to it."
    )
    image_format: str = Field(default="jpeg", description="How frames are sent: jpeg or png.")
    jpeg_quality: int = Field(default=90, ge=1, le=95, description="Quality of the JPEGs.")
    timeout_s: float = Field(default=60.0, gt=0, description="Seconds one request may take.")
    max_attempts: int = Field(default=8, gt=0, description="Requests for one clip before it is given up.")
    batch_api: bool = Field(
        default=False, description="Submit shards as batch jobs at half the price and collect them later."
    )
    batch_wait_s: float = Field(
        default=0.0, ge=0, description="Seconds to wait for a batch job before leaving it to a later run."
    )

    def captioner(self, frames: "FrameReader", lake: "Lake", run_id: str) -> "OpenAICaptioner":
        """The captioner; what this run has spent is kept below the lake's root, retries included.

        Raises:
            AnnotatorError: a key that Dagster can see, or a budget that the processes of the run cannot share.
        """
        from resources.captioners.openai import OpenAICaptioner, Price

        fields = _fields(self) | {
            "api_key": self._key(),
            "prices": {model: Price(**price) for model, price in self.prices.items()},
        }
        return OpenAICaptioner(
            **fields,
            frames=frames,
            spend_file=self._spend_file(lake, run_id),
            batch_folder=lake.folder("journal") / "openai_batches",
            log=dg.get_dagster_logger().info,
        )

    def _key(self) -> str | None:
        """Read here and not by Dagster, whose run configuration replaces what the definitions set."""
        from resources.annotation.outcome import AnnotatorError

        if self.api_key and self.api_key not in os.environ.values():
            raise AnnotatorError(
                "api_key is written out in the configuration, where Dagster stores and shows it: give it as "
                "{env: OPENAI_API_KEY}, and replace the key, which has been seen",
                retryable=False,
            )
        return self.api_key or environment.setting("OPENAI_API_KEY")

    def _spend_file(self, lake: "Lake", run_id: str) -> Path | None:
        from resources.annotation.outcome import AnnotatorError

        if (journal := _local(lake, "journal")) is not None:
            return journal / "spend" / f"{run_id}.json"
        if self.max_cost_usd is None:
            return None
        raise AnnotatorError(
            "max_cost_usd needs VIDCAP_HOME on a file system, where the processes of a run share the record "
            f"of what it spent, not on {lake.root}; nothing was sent",
            retryable=False,
        )


class CameraResource(dg.ConfigurableResource):
    """Camera motion classification."""

    threshold: float = Field(
        default=0.25,
        gt=0,
        description="Share of the shorter side by which the frame's edges must move for a label.",
    )

    backend: str = Field(
        default="tracks",
        description="tracks (corners followed on the CPU) or cotracker (the package and a checkpoint of yours).",
    )
    checkpoint: str | None = Field(default=None, description="CoTracker's weights, a .pth file.")
    device: str = Field(default="auto", description="Where CoTracker runs: auto, cpu, cuda or cuda:N.")

    def annotator(self, workers: "IsolatedWorkers") -> "Annotator":
        """The classifier, working in those processes."""
        from resources.camera_motion.backends import camera_motion_annotator

        return camera_motion_annotator(workers, **_fields(self))


class TaggerResource(LocalModelResource):
    """Llama-3, or any chat model, that reads objects and actions out of a caption."""

    model: str | None = Field(
        default_factory=lambda: environment.setting("VIDCAP_TAGGER_MODEL"),
        description="Local folder or hub id; default: the embedded demonstration model.",
    )
    batch_size: int = Field(default=32, gt=0, description="Captions in a batch.")
    max_new_tokens: int = Field(default=512, gt=0, description="Longest list of tags, in tokens.")
    continuous_batching: bool = Field(
        default=False,
        description="Let new captions take the place of finished ones within a batch; for GPUs, where lengths differ.",
    )
    constrained: bool = Field(
        default=False,
        description="Let the model write nothing but a JSON list (needs the extra constrained, and a model that "
        "knows JSON, as Llama-3-Instruct does).",
    )

    def tagger(self, lake: "Lake") -> "Tagger":
        """The model that both tag assets share; weights load on the first batch."""
        from resources.tagger import Tagger

        return Tagger(**_fields(self), cache=_cache(lake))


def _fields(resource: dg.ConfigurableResource) -> dict[str, Any]:
    return {name: getattr(resource, name) for name in type(resource).model_fields}


def _cache(lake: "Lake") -> Path:
    from resources.engine.fingerprint import default_cache

    return _local(lake, "cache") or default_cache()


def _local(lake: "Lake", name: str) -> Path | None:
    """A folder of the lake as a path of this machine, ``None`` on an object store."""
    from resources.storage import is_local

    folder = lake.folder(name)
    return Path(folder.path) if is_local(folder) else None
