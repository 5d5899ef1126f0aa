"""The entry ``{kind: openai}`` of a collection file."""

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from resources.annotation.annotator import Annotator
from resources.annotation.declaration import Scene
from resources.annotation.outcome import AnnotatorError
from resources.annotation.secret import Secret
from resources.captioners.kinds import Captioner
from resources.captioners.openai.pricing import Detail, Price

ImageFormat = Literal["jpeg", "png"]


class OpenAI(Captioner):
    """Captions by a server that speaks the OpenAI API: OpenAI itself, vLLM, SGLang, transformers serve."""

    pool: ClassVar[str | None] = "openai"
    icons: ClassVar[frozenset[str]] = frozenset({"openai"})

    kind: Literal["openai"] = "openai"
    model: str = Field(default="gpt-4o", description="The model's name at the server.")
    base_url: str | None = Field(
        default=None, description="The server, https://host/v1, without credentials; default: OpenAI."
    )
    api_key: Secret = Field(
        default=Secret("OPENAI_API_KEY"),
        description="The environment variable with the key, as '{{ env.NAME }}', never the key itself. "
        "Servers of your own may need none.",
    )
    num_frames: int = Field(
        default=3, gt=0, description="Frames a clip, sent in time order; an image is one frame."
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
        description="Dollars that a run may spend; the rest is left to do. Needs a price for the model.",
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

    def missing(self) -> str | None:
        """Nothing: a key that is absent is told when it is needed."""
        return None

    def captioner(self, scene: Scene) -> Annotator:
        """The captioner; what this run has spent is kept below the home, retries included.

        Raises:
            AnnotatorError: a budget that the processes of the run cannot share.
        """
        from resources.captioners.openai.captioner import OpenAICaptioner

        journal = scene.lake.local("journal")
        if journal is None and self.max_cost_usd is not None:
            raise AnnotatorError(
                "max_cost_usd needs a home on a file system, where the processes of a run share the record "
                "of what it spent; nothing was sent",
                retryable=False,
            )
        return OpenAICaptioner(
            self,
            scene.frames,
            spend_file=journal / "spend" / f"{scene.run_id}.json" if journal else None,
            batch_folder=scene.lake.folder("journal") / "openai_batches",
            log=scene.log,
        )
