"""Captions from any server that speaks OpenAI's chat completions: OpenAI, vLLM, SGLang, transformers."""

import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr
from upath import UPath

from resources.annotation.annotator import StreamingAnnotator
from resources.annotation.clip import Clip, Kind
from resources.annotation.outcome import AnnotatorError
from resources.annotation.prefetch import Prepared
from resources.annotation.recipe import Recipe
from resources.captioners.openai.address import OPENAI_URL, Address
from resources.captioners.openai.batch_api import BatchJobs, BatchPolicy
from resources.captioners.openai.batch_records import JobRecords
from resources.captioners.openai.clients import open_client
from resources.captioners.openai.concurrency import AdaptiveLimit
from resources.captioners.openai.endpoint import Endpoint
from resources.captioners.openai.event_loop import EventLoopThread
from resources.captioners.openai.live import Chunk, stream_live
from resources.captioners.openai.pricing import BATCH_DISCOUNT, Detail, Estimate, Price, Usage, price_of
from resources.captioners.openai.request import (
    CaptionRequest,
    ImageFormat,
    RequestSettings,
    build_request,
    size_of,
)
from resources.captioners.openai.sender import Patience, Sender, budget_error
from resources.captioners.openai.spending import Spending
from resources.captioners.prompted import PromptedCaptioner
from resources.captioners.prompts import check_frames, prompts_of, resolve_prompt
from resources.video.sampling import FrameRule

if TYPE_CHECKING:
    from resources.video import FrameReader

CODE_VERSION = 1
_ASSUMED_SIZE = (720, 1280)
_ONE_FRAME = FrameRule.for_captioning(1)
_log = logging.getLogger(__name__)


class OpenAICaptioner(PromptedCaptioner, StreamingAnnotator):
    """Asks a served model for captions, many clips at a time, and never pays for one twice.

    Every answer reaches the caller the moment it arrives. What can change an answer is in the recipe;
    concurrency, key, prices, budget and the way of sending (live or as a batch job) are not.

    Args:
        frames: where frames come from.
        model: the model's name at the server.
        base_url: the server, ``https://host/v1``, without credentials; ``None`` for OpenAI.
        api_key: shown nowhere; servers of one's own may need none.
        num_frames: frames of a video; an image is one frame.
        prompt: a preset's name or the literal text, see `resources.captioners.prompts`.
        max_tokens: the longest caption, in tokens.
        max_concurrency: requests in flight at most; fewer while the server is overloaded.
        max_cost_usd: dollars that a run may spend. What would pass it is left to do (``budget``).
        spend_file: the run's own record of what it spent, so that a retried process goes on with the
            same budget; ``None`` counts within this object only.
        prices: dollars for a million tokens by model, before the built-in table.
        detail: how closely the server looks at a frame.
        short_side: frames with a longer shorter side are shrunk to it (pixels); ``None`` sends them whole.
        image_format: ``jpeg``, or ``png``, which loses nothing.
        jpeg_quality: 1 to 95.
        temperature, seed: sent as they are; ``seed`` may be ``None``. Reasoning models get no temperature.
        extra_body: further fields of the request.
        timeout_s: seconds for one attempt.
        max_attempts, backoff_s, max_wait_s: see `Patience`.
        decode_workers: threads that read and compress frames ahead.
        batch_api: submit batch jobs at half the price instead of asking at once; ``stream`` then raises
            `BatchPending` while a job is running, and a later run collects it.
        batch_folder: where jobs are remembered between runs; needed for ``batch_api``.
        batch_wait_s: how long a run waits for its jobs before it leaves them to a later one.
        batch_poll_s: seconds between two looks at a job.
        log: receives the notes of a run (prices, submitted jobs).

    Raises:
        AnnotatorError: the settings cannot work; a budget for a model without a price is one of them.
    """

    def __init__(
        self,
        frames: "FrameReader",
        *,
        asset: str = "captions_gpt4v",
        model: str,
        base_url: str | None = None,
        api_key: str | SecretStr | None = None,
        num_frames: int = 3,
        prompt: str = "video-f3-detail-3ex",
        max_tokens: int = 300,
        max_concurrency: int = 16,
        max_cost_usd: float | None = None,
        spend_file: Path | None = None,
        prices: Mapping[str, Price] | None = None,
        detail: Detail | str = Detail.LOW,
        short_side: int | None = 512,
        image_format: ImageFormat | str = ImageFormat.JPEG,
        jpeg_quality: int = 90,
        temperature: float = 0.0,
        seed: int | None = 0,
        extra_body: Mapping[str, Any] | None = None,
        timeout_s: float = 60.0,
        max_attempts: int = 8,
        backoff_s: float = 1.0,
        max_wait_s: float = 300.0,
        decode_workers: int = 4,
        batch_api: bool = False,
        batch_folder: UPath | Path | None = None,
        batch_wait_s: float = 0.0,
        batch_poll_s: float = 30.0,
        log: Callable[[str], None] = _log.info,
    ) -> None:
        key = api_key if isinstance(api_key, SecretStr) else SecretStr(api_key or "")
        self.batch_size = max_concurrency
        self._frames = frames
        self._asset = asset
        self._address = Address(base_url or OPENAI_URL, key)
        self._prompt = prompt
        self._rule = FrameRule.for_captioning(num_frames)
        self._short_side = short_side
        self._settings = RequestSettings(
            model,
            Detail(detail),
            ImageFormat(image_format),
            jpeg_quality,
            max_tokens,
            temperature,
            seed,
            dict(extra_body or {}),
        )
        check_frames(prompt, num_frames)
        self._price = price_of(model, prices or {})
        self._max_concurrency = max_concurrency
        # An eighth more than the requests in flight, so that these go on while answers are made durable.
        self._window = max_concurrency + max_concurrency // 8
        self._spending = Spending(max_cost_usd, spend_file)
        self._timeout_s = timeout_s
        self._patience = Patience(max_attempts=max_attempts, backoff_s=backoff_s, max_wait_s=max_wait_s)
        self._batch = _batch_policy(batch_api, batch_folder, batch_wait_s, batch_poll_s)
        self._decoders = ThreadPoolExecutor(decode_workers, thread_name_prefix="frames")
        self._money_is_gone = False
        self._submitted: set[str] = set()
        self._note = log
        if max_cost_usd is not None and self._price is None:
            raise AnnotatorError(
                f"max_cost_usd is set, but the price of '{model}' is unknown: add it to prices "
                "(dollars for a million tokens: input, output)",
                retryable=False,
            )

    @cached_property
    def recipe(self) -> Recipe:
        """Model, server, prompts, frames, compression and sampling; neither key nor budget nor speed."""
        return Recipe(
            self._asset,
            {
                **self._settings.to_json(),
                "host": self._address.host,
                "prompts": [prompt.to_json() for prompt in prompts_of(self._prompt)],
                "frames": {kind.value: self._rule_for(kind).to_json() for kind in Kind},
                "short_side": self._short_side,
                "code_version": CODE_VERSION,
            },
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
        self._note(self.estimate(clips).line())
        if self._price is None:
            self._note(f"the price of '{self._settings.model}' is unknown: cost_usd stays empty (see prices)")

    def estimate(self, clips: Sequence[Clip]) -> Estimate:
        """What these clips will probably cost if all of them are asked for. Sends nothing."""
        sizes = [self._likely_usage(clip) for clip in clips]
        total = Usage(sum(usage.tokens_in for usage in sizes), sum(usage.tokens_out for usage in sizes))
        factor = BATCH_DISCOUNT if self._batch else 1.0
        return Estimate(
            self._settings.model,
            len(clips),
            sum(self._rule_for(clip.kind).count for clip in clips),
            total.tokens_in,
            total.tokens_out,
            self._price.cost_usd(total, factor) if self._price else None,
            self._spending.limit_usd,
        )

    def prepare(self, clip: Clip) -> "Future[CaptionRequest | None]":
        """Start reading the clip's frames; the payload is the future of its request.

        Raises:
            ClipError: the run's budget is spent, so the clip is left as it is.
        """
        if self._money_is_gone:
            raise budget_error(self._spending)
        if self._submitted and self._custom_id(clip) in self._submitted:
            return _resolved(None)
        return self._decoders.submit(self._request, clip)

    def stream(self, items: Iterator[Prepared]) -> Iterator[Chunk]:
        """See `StreamingAnnotator`.

        Raises:
            AnnotatorError: refused key, unknown model, no credit, or a server that answers nobody.
            BatchPending: a batch job has not finished yet; what has, was yielded.
        """
        with EventLoopThread() as thread:
            if self._batch:
                records = JobRecords(self._batch.folder / self.recipe.fingerprint)
                self._submitted = {each for record in records.all() for each in record.custom_ids}
                with thread.holding(self._batch_jobs(self._batch, records)) as jobs:
                    for chunk in jobs.stream(thread, items):
                        self._money_is_gone = jobs.budget_spent
                        yield chunk
                return
            with thread.holding(self._sender()) as sender:
                for chunk in stream_live(thread, sender, items, self._window):
                    self._money_is_gone = sender.budget_spent
                    yield chunk

    def close(self) -> None:
        """End the threads that read frames, and let go of the record of what was spent."""
        self._decoders.shutdown(wait=True, cancel_futures=True)
        self._spending.close()

    def _request(self, clip: Clip) -> CaptionRequest:
        prompt = resolve_prompt(self._prompt, clip)
        frames = self._frames.read(
            clip.path, clip.kind, self._rule_for(clip.kind), short_side=self._short_side
        )
        shown = {"frame_indices": [int(index) for index in frames.indices], **frames.details}
        return build_request(clip.id, prompt.text, frames.images, shown, self._settings)

    def _rule_for(self, kind: Kind) -> FrameRule:
        return self._rule if kind is Kind.VIDEO else _ONE_FRAME

    def _likely_usage(self, clip: Clip) -> Usage:
        height, width = clip.height or _ASSUMED_SIZE[0], clip.width or _ASSUMED_SIZE[1]
        scale = min(1.0, (self._short_side or min(height, width)) / min(height, width))
        size = (round(height * scale), round(width * scale))
        text = resolve_prompt(self._prompt, clip).text
        return size_of(self._settings, text, [size] * self._rule_for(clip.kind).count).likely

    def _custom_id(self, clip: Clip) -> str:
        """Names the clip's request at the Batch API, the same in every process."""
        read = f"{self.recipe.fingerprint}\n{clip.id}\n{self.input_key(clip)}"
        return hashlib.sha256(read.encode()).hexdigest()[:32]

    @asynccontextmanager
    async def _endpoint(self) -> AsyncIterator[tuple[Any, Endpoint]]:
        async with open_client(self._address, self._timeout_s) as client:
            yield client, Endpoint(client, self._address, self._settings.model, self._timeout_s)

    @asynccontextmanager
    async def _sender(self) -> AsyncIterator[Sender]:
        async with self._endpoint() as (_, endpoint):
            limit = AdaptiveLimit(self._max_concurrency)
            yield Sender(endpoint, limit, self._spending, self._price, self._patience)

    @asynccontextmanager
    async def _batch_jobs(self, policy: BatchPolicy, records: JobRecords) -> AsyncIterator[BatchJobs]:
        async with self._endpoint() as (client, endpoint):
            yield BatchJobs(
                client,
                endpoint,
                records,
                self._custom_id,
                policy,
                self._spending,
                self._price,
                self._patience,
                self._note,
            )


def _batch_policy(
    batch_api: bool, folder: UPath | Path | None, wait_s: float, poll_s: float
) -> BatchPolicy | None:
    if not batch_api:
        return None
    if folder is None:
        raise AnnotatorError(
            "batch_api needs batch_folder, where jobs are remembered between runs", retryable=False
        )
    return BatchPolicy(UPath(folder), wait_s, poll_s)


def _resolved(value: None) -> "Future[CaptionRequest | None]":
    future: Future[CaptionRequest | None] = Future()
    future.set_result(value)
    return future
