"""The entry ``{kind: openai}`` of a collection file."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from resources.annotation.annotator import Annotator
from resources.annotation.declaration import Scene
from resources.annotation.outcome import SetupError
from resources.captioners.kinds import Captioner
from resources.captioners.openai.pricing import Detail, Price
from resources.engine.settings import ServedModel

ImageFormat = Literal["jpeg", "png"]
_ITS_OWN = frozenset({"model", "messages", "max_tokens", "max_completion_tokens", "stream", "n"})


class OpenAI(ServedModel, Captioner):
    """Captions by a server that speaks the OpenAI API: OpenAI itself, vLLM, SGLang, transformers serve."""

    pool: ClassVar[str | None] = "openai"
    icons: ClassVar[frozenset[str]] = frozenset({"openai"})
    indifferent: ClassVar[frozenset[str]] = ServedModel.indifferent | {
        *("max_concurrency", "max_cost_usd", "max_cost_usd_per_run", "prices", "timeout_s", "max_attempts"),
        *("batch_api", "batch_wait_s"),
    }

    kind: Literal["openai"] = "openai"
    model: str = Field(default="gpt-4o", description="The model's name at the server.")
    base_url: str | None = Field(
        default=None,
        description="A server that is there, https://host/v1, without credentials; default: OpenAI.",
    )
    num_frames: int = Field(
        default=3, gt=0, description="Frames a clip, sent in time order; an image is one frame."
    )
    revision: str | None = Field(
        default=None,
        description="Which weights the server has, where the name does not tell; another one redoes the captions.",
    )
    sampling: dict[str, Any] = Field(
        default={"temperature": 0},
        description="Fields of the request that choose the words: temperature, top_p, seed, …; nothing else is sent. "
        "Reasoning models get no temperature unless it is named here.",
    )
    extra_body: dict[str, Any] = Field(
        default={}, description="Further fields of the request, for servers that know them."
    )
    prompt: str = Field(
        default="auto",
        description="A preset's name or the literal text to use; auto: one for videos and one for images.",
    )
    max_tokens: int = Field(default=300, gt=0, description="Longest caption, in tokens.")
    max_concurrency: int = Field(default=16, gt=0, description="Requests in flight at most.")
    max_cost_usd: float | None = Field(
        default=None,
        ge=0,
        description="Dollars that this captioner may spend in this collection, over all runs until it is raised; the "
        "rest is left to do. Needs a price for the model. What costs money does not run without it.",
    )
    max_cost_usd_per_run: float | None = Field(
        default=None, ge=0, description="Dollars of it that one run may spend."
    )
    prices: dict[str, dict[str, float]] = Field(
        default={},
        description="Dollars for a million tokens, by model: input, output and optionally cached_input. "
        "Comes before the built-in list, which holds OpenAI's models at OpenAI only and may be out of date.",
    )
    detail: Detail = Field(
        default="low", description="How closely the server looks at a frame: low, high or auto."
    )
    short_side: int = Field(
        default=512, gt=0, description="Frames with a longer shorter side are resized to it (pixels)."
    )
    send: Literal["images", "video"] = Field(
        default="images",
        description="How the frames of a video are shown: images, or as one video with the time of each frame, as "
        "vLLM takes it (frames are JPEGs then).",
    )
    image_format: ImageFormat = Field(
        default="jpeg", description="How frames are sent: jpeg, or png, which loses nothing and is larger."
    )
    jpeg_quality: int = Field(default=90, ge=1, le=95, description="Quality of the JPEGs.")
    timeout_s: float = Field(default=60.0, gt=0, description="Seconds one request may take.")
    max_attempts: int = Field(default=8, gt=0, description="Requests for one clip before it is given up.")
    batch_api: bool = Field(
        default=False, description="Submit shards as batch jobs at half the price and collect them later."
    )
    batch_wait_s: float = Field(
        default=0.0, ge=0, description="Seconds to wait for a batch job before leaving it to a later run."
    )

    @field_validator("prices")
    @classmethod
    def _are_prices(cls, prices: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        for model, price in prices.items():
            if not {"input", "output"} <= price.keys() <= {"input", "output", "cached_input"}:
                raise ValueError(
                    f"the price of {model!r} needs input and output (and may have cached_input), "
                    f"and has {', '.join(price) or 'nothing'}"
                )
            Price(**price)
        return prices

    @field_validator("sampling", "extra_body")
    @classmethod
    def _is_its_own(cls, fields: dict[str, Any]) -> dict[str, Any]:
        if taken := fields.keys() & _ITS_OWN:
            raise ValueError(f"{', '.join(sorted(taken))} cannot be set here")
        return fields

    @model_validator(mode="after")
    def _costs_money_at_openai(self) -> Self:
        if "paid" not in self.model_fields_set:
            object.__setattr__(self, "paid", self.base_url is None and self.serve is None)
        return self

    def missing(self) -> str | None:
        """The model of a server that is to be started; a key that is absent is told when it is needed."""
        if self.serve is None or self.model != type(self).model_fields["model"].default:
            return None
        return f"{self.name}: serve starts a server for a model, and none is named; set model"

    def captioner(self, scene: Scene) -> Annotator:
        """The captioner; what it has spent is kept below the home, over all runs.

        Raises:
            AnnotatorError: a budget that the processes of the run cannot share.
        """
        from resources.captioners.openai.captioner import OpenAICaptioner

        journal = scene.lake.local("journal")
        has_budget = self.max_cost_usd is not None or self.max_cost_usd_per_run is not None
        if journal is None and has_budget:
            raise SetupError(
                "max_cost_usd needs a home on a file system, where all runs share the record of what was spent; "
                "nothing was sent"
            )
        return OpenAICaptioner(
            self,
            scene.frames,
            server=self.server(self.model, scene),
            spend_file=journal / "spend" / f"{self.step}.sqlite" if journal and has_budget else None,
            run_id=scene.run_id,
            batch_folder=scene.lake.folder("journal") / "openai_batches",
            log=scene.log,
        )
