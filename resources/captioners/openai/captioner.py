"""Captions from any server that speaks OpenAI's chat completions: OpenAI, vLLM, SGLang, transformers."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from upath import UPath

from resources.annotation.annotator import StreamingAnnotator
from resources.annotation.clip import Clip, Kind
from resources.annotation.outcome import SetupError
from resources.annotation.prefetch import Prepared
from resources.annotation.recipe import Recipe
from resources.captioners.openai.address import Address
from resources.captioners.openai.batch_api import BatchJobs, BatchPolicy
from resources.captioners.openai.batch_records import JobRecords
from resources.captioners.openai.dialect import Dialect
from resources.captioners.openai.endpoint import connected
from resources.captioners.openai.kind import OpenAI
from resources.captioners.openai.live import Chunk, stream_live
from resources.captioners.openai.pricing import BATCH_DISCOUNT, Price, Usage, price_of
from resources.captioners.openai.request import CaptionRequest, build_request, recorded, size_of
from resources.captioners.openai.sender import Patience, Sender
from resources.captioners.openai.spending import Spending
from resources.captioners.prompted import PromptedCaptioner
from resources.captioners.prompts import check_frames, prompts_of, resolve_prompt
from resources.engine.server import Server
from resources.video.sampling import FrameRule

if TYPE_CHECKING:
    from resources.video import FrameReader

_DECODE_THREADS = 4
_ONE_FRAME = FrameRule.for_captioning(1)
_log = logging.getLogger(__name__)


class OpenAICaptioner(PromptedCaptioner, StreamingAnnotator):
    """Asks a served model for captions, many clips at a time, and never pays for one twice.

    Every answer reaches the caller the moment it arrives. What can change an answer is in the recipe;
    concurrency, key, prices, budget and the way of sending (live or as a batch job) are not.

    Args:
        settings: the entry of the collection file.
        frames: where frames come from.
        server: what starts the model's server, if the step is to start one.
        spend_file: the record of what this captioner has spent in the collection, shared by all processes and
            runs; ``None`` counts within this object only.
        run_id: the run, for what it may spend of it.
        batch_folder: where batch jobs are remembered between runs; needed for ``batch_api``.
        log: receives the notes of a run (prices, submitted jobs).
        backoff_s: seconds before the second attempt at a clip, see `Patience`.
        batch_poll_s: seconds between two looks at a batch job.

    Raises:
        AnnotatorError: the settings cannot work; a budget for a model without a price is one of them.
    """

    def __init__(
        self,
        settings: OpenAI,
        frames: "FrameReader",
        *,
        server: Server | None = None,
        spend_file: Path | None = None,
        run_id: str = "",
        batch_folder: UPath | Path | None = None,
        log: Callable[[str], None] = _log.info,
        backoff_s: float = 1.0,
        batch_poll_s: float = 30.0,
    ) -> None:
        self.batch_size = settings.max_concurrency
        self._settings = settings
        self._frames = frames
        self._server = server
        self._address = Address.of(settings, server)
        self._prompt = settings.prompt
        self._rule = FrameRule.for_captioning(settings.num_frames)
        check_frames(settings.prompt, settings.num_frames)
        prices = {model: Price(**price) for model, price in settings.prices.items()}
        price = price_of(settings.model, prices, at_openai=self._address.is_openai)
        self._spending = Spending(
            settings.max_cost_usd,
            spend_file,
            run_limit_usd=settings.max_cost_usd_per_run,
            run_id=run_id,
            price=price,
            factor=BATCH_DISCOUNT if settings.batch_api else 1.0,
        )
        self._patience = Patience(max_attempts=settings.max_attempts, backoff_s=backoff_s)
        self._batch: BatchPolicy | None = None
        if settings.batch_api:
            if batch_folder is None:
                raise SetupError("batch_api needs batch_folder, where jobs are remembered between runs")
            self._batch = BatchPolicy(UPath(batch_folder), settings.batch_wait_s, batch_poll_s)
        self._decoders = ThreadPoolExecutor(_DECODE_THREADS, thread_name_prefix="frames")
        self._dialect = Dialect()
        self._submitted: set[str] = set()
        self._note = log
        if self._spending.has_limit and price is None:
            raise SetupError(
                f"max_cost_usd is set, but the price of '{settings.model}' at {self._address.host} is unknown: "
                "add it to prices (dollars for a million tokens: input, output)"
            )

    @cached_property
    def recipe(self) -> Recipe:
        """Model, server, prompts, frames, compression and sampling; neither key nor budget nor speed."""
        return Recipe(
            self._settings.step,
            {
                **recorded(self._settings),
                "host": self._address.host,
                "prompts": [prompt.to_json() for prompt in prompts_of(self._prompt)],
                "frames": {kind.value: self._rule_for(kind).to_json() for kind in Kind},
                "short_side": self._settings.short_side,
                "code_version": self._settings.code_version,
            },
            frozenset({"host"}),
        )

    def check(self, clips: Sequence[Clip]) -> None:
        """Refuse a prompt that does not fit the clips or a missing key, and log what they will cost.

        Raises:
            AnnotatorError: nothing was sent yet.
        """
        if not clips:
            return
        self._address.require_key()
        super().check(clips)
        if sentence := self.why_not_paid(clips):
            raise SetupError(
                f"{sentence}: set max_cost_usd of {self._settings.name} in the collection file (dollars over all "
                "runs), or for this run; nothing was sent"
            )
        self._note(self.estimate(clips))
        if self._spending.price is None:
            self._note(f"the price of '{self._settings.model}' is unknown: cost_usd stays empty (see prices)")

    def why_not_paid(self, clips: Sequence[Clip]) -> str | None:
        """See `Annotator`; a server of one's own without a price costs nothing."""
        price = self._spending.price
        costs = not self._address.is_own if price is None else price != Price(0.0, 0.0)
        if not clips or not costs or not self._settings.paid or self._settings.max_cost_usd is not None:
            return None
        return f"{self._settings.name} costs money and has no budget; {self.estimate(clips)}"

    def likely_usage(self, clips: Sequence[Clip]) -> Usage:
        """The tokens that these clips will probably take if all of them are asked for. Sends nothing."""
        sizes = [
            size_of(
                self._settings, resolve_prompt(self._prompt, clip).text, self._rule_for(clip.kind).count
            ).likely
            for clip in clips
        ]
        return Usage(sum(one.tokens_in for one in sizes), sum(one.tokens_out for one in sizes))

    def estimate(self, clips: Sequence[Clip]) -> str:
        """What these clips will probably cost, in one line."""
        usage, limit_usd = self.likely_usage(clips), self._spending.limit_usd
        cost = self._spending.cost(usage)
        frames = sum(self._rule_for(clip.kind).count for clip in clips)
        return (
            f"estimate for {self._settings.model}: {len(clips)} clips, {frames} frames, {usage.tokens_in} tokens in, "
            f"{usage.tokens_out} tokens out: {'price unknown' if cost is None else f'about ${cost:.4f}'}"
            + ("" if limit_usd is None else f", limit ${limit_usd:.4f}")
        )

    def prepare(self, clip: Clip) -> "Future[CaptionRequest | None]":
        """Start reading the clip's frames; the payload is the future of its request.

        Raises:
            ClipError: the run's budget is spent, so the clip is left as it is.
        """
        if self._spending.is_spent:
            raise self._spending.spent()
        if self._submitted and self._custom_id(clip) in self._submitted:
            return self._decoders.submit(lambda: None)
        return self._decoders.submit(self._request, clip)

    def stream(self, items: Iterator[Prepared]) -> Iterator[Chunk]:
        """See `StreamingAnnotator`.

        Raises:
            AnnotatorError: refused key, unknown model, no credit, or a server that answers nobody.
            BatchPending: a batch job has not finished yet; what has, was yielded.
        """
        with connected(
            self._address, self._settings.model, self._settings.timeout_s, self._dialect, self._server
        ) as (portal, endpoint):
            if self._batch:
                records = JobRecords(self._batch.folder / self.recipe.fingerprint)
                self._submitted = {each for record in records.all() for each in record.custom_ids}
                jobs = BatchJobs(
                    endpoint,
                    records,
                    self._custom_id,
                    self._batch,
                    self._spending,
                    self._patience,
                    self._note,
                )
                yield from jobs.stream(portal, items)
                return
            sender = Sender(endpoint, self.batch_size, self._spending, self._patience)
            for chunk in stream_live(portal, sender, items):
                yield chunk
                while self._dialect.notes:
                    self._note(self._dialect.notes.pop(0))

    def close(self) -> None:
        """End the threads that read frames, and let go of the record of what was spent."""
        self._decoders.shutdown(wait=True, cancel_futures=True)
        self._spending.close()
        if self._server is not None:
            self._server.close()

    def _request(self, clip: Clip) -> CaptionRequest:
        prompt = resolve_prompt(self._prompt, clip)
        rule = self._rule_for(clip.kind).within(clip.span)
        frames = self._frames.read(clip.path, clip.kind, rule, short_side=self._settings.short_side)
        shown = {"frame_indices": [int(index) for index in frames.indices], **frames.details}
        return build_request(clip, prompt.text, frames, shown, self._settings)

    def _rule_for(self, kind: Kind) -> FrameRule:
        return self._rule if kind is Kind.VIDEO else _ONE_FRAME

    def _custom_id(self, clip: Clip) -> str:
        """Names the clip's request at the Batch API, the same in every process."""
        read = f"{self.recipe.fingerprint}\n{clip.id}\n{self.input_key(clip)}"
        return hashlib.sha256(read.encode()).hexdigest()[:32]
