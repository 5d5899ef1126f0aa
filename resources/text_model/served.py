"""A language model behind a server: the same questions and the same reading, the model elsewhere."""

from collections.abc import Iterator
from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING, Any

from resources.annotation.annotator import StreamingAnnotator
from resources.annotation.clip import Clip
from resources.annotation.outcome import Answer, AnsweredError, ClipError, SetupError
from resources.annotation.prefetch import Prepared
from resources.annotation.recipe import Recipe
from resources.captioners.openai.address import Address
from resources.captioners.openai.dialect import Dialect
from resources.captioners.openai.endpoint import connected
from resources.captioners.openai.live import Chunk, stream_live
from resources.captioners.openai.pricing import request_size
from resources.captioners.openai.request import CaptionRequest
from resources.captioners.openai.sender import Patience, Sender
from resources.captioners.openai.spending import Spending
from resources.text_model.question import Asks, Question

if TYPE_CHECKING:
    from resources.engine.server import Server
    from resources.text_model.settings import TextSettings

_TIMEOUT_S = 300.0


class ServedAnswers(Asks, StreamingAnnotator):
    """Puts one question about each clip to a server, by chat completions.

    Args:
        question: what is asked.
        settings: the entry of the collection file; ``batch_size`` is how many requests are in flight.
        server: what starts the server, if the step is to start one; whoever made it ends it.

    Raises:
        AnnotatorError: the address is none, or would cost money that nobody agreed to.
    """

    def __init__(
        self,
        question: Question,
        settings: "TextSettings",
        server: "Server | None",
    ) -> None:
        self.batch_size = settings.batch_size
        self._question = question
        self._settings = settings
        self._server = server
        self._dialect = Dialect()
        self._address = Address.of(settings, server)
        if not self._address.is_own and not settings.paid:
            raise SetupError(
                f"{settings.name}: {self._address.host} may cost money, and {settings.kind} has no budget: say "
                "paid: true, or name a server of your own"
            )

    @cached_property
    def recipe(self) -> Recipe:  # noqa: D102
        started_by = {"serve": self._settings.serve} if self._settings.serve else {}
        return Recipe(
            self._question.asset,
            {
                "model": self._settings.model,
                "host": self._address.host,
                **started_by,
                **self._question.recorded,
                "max_new_tokens": self._settings.max_new_tokens,
                "temperature": 0,
                "code_version": self._settings.code_version,
            },
            frozenset({"host"}),
        )

    def prepare(self, clip: Clip) -> "Future[CaptionRequest]":  # noqa: D102
        turns, schema = self._question.turns(clip), self._question.schema
        words = "".join(turn["content"] for turn in turns)
        size = request_size(words, 0, "low", self._settings.max_new_tokens)
        body: dict[str, Any] = {
            "model": self._settings.model,
            "messages": turns,
            "max_tokens": self._settings.max_new_tokens,
            "temperature": 0,
        }
        if schema is not None:
            held = {"name": self._question.asset, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": held}
        made: Future[CaptionRequest] = Future()
        made.set_result(CaptionRequest(clip.id, body, size, {}))
        return made

    def stream(self, items: Iterator[Prepared]) -> Iterator[Chunk]:  # noqa: D102
        model = self._settings.model or ""
        with connected(self._address, model, _TIMEOUT_S, self._dialect, self._server) as (portal, endpoint):
            sender = Sender(
                endpoint, self.batch_size, Spending(None), Patience(), judging=self._question.judge
            )
            for chunk in stream_live(portal, sender, items):
                yield [(item, self._read(result, item.clip)) for item, result in chunk]

    def _read(self, result: Answer | ClipError, clip: Clip) -> Answer | ClipError:
        if not isinstance(result, Answer):
            return result
        facts = (result.finish_reason, result.tokens_in, result.tokens_out, result.seconds, result.cost_usd)
        details = {**result.details, "raw": result.value}
        try:
            value, more = self._question.read(result.value or "", clip)
        except ClipError as error:
            return AnsweredError(error.kind, error.message, *facts, details)
        return Answer(value, *facts, details | more)
