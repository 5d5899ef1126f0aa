"""Tags by a language model behind a server: the same questions and the same reading, the model elsewhere."""

from collections.abc import Iterator
from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING

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
from resources.tagger.parsing import judge_tags
from resources.tagger.prompts import TAG_PROMPTS
from resources.tagger.tagger import ReadsText, read_tags

if TYPE_CHECKING:
    from resources.engine.server import Server
    from resources.tagger.kind import Tags

_TIMEOUT_S = 300.0


class ServedTags(ReadsText, StreamingAnnotator):
    """Reads one kind of tags out of the text of each clip, by chat completions.

    Args:
        key: ``objects`` or ``actions``.
        settings: the entry of the collection file; ``batch_size`` is how many requests are in flight.
        server: what starts the server, if the step is to start one; whoever made it ends it.

    Raises:
        AnnotatorError: the address is none, or would cost money that nobody agreed to.
    """

    def __init__(self, key: str, settings: "Tags", server: "Server | None") -> None:
        self.batch_size = settings.batch_size
        self._key = key
        self._settings = settings
        self._server = server
        self._dialect = Dialect()
        self._address = Address.of(settings, server)
        if not self._address.is_own and not settings.paid:
            raise SetupError(
                f"{settings.name}: {self._address.host} may cost money, and tags have no budget: say paid: true, or "
                "name a server of your own"
            )

    @cached_property
    def recipe(self) -> Recipe:  # noqa: D102
        started_by = {"serve": self._settings.serve} if self._settings.serve else {}
        return Recipe(
            f"{self._settings.name}_{self._key}",
            {
                "model": self._settings.model,
                "host": self._address.host,
                **started_by,
                "prompt": TAG_PROMPTS[self._key],
                "max_new_tokens": self._settings.max_new_tokens,
                "temperature": 0,
                "code_version": self._settings.code_version,
            },
            frozenset({"host"}),
        )

    def prepare(self, clip: Clip) -> "Future[CaptionRequest]":  # noqa: D102
        system, user = TAG_PROMPTS[self._key], (clip.text or "").strip()
        size = request_size(f"{system}{user}", 0, "low", self._settings.max_new_tokens)
        body = {
            "model": self._settings.model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            "max_tokens": self._settings.max_new_tokens,
            "temperature": 0,
        }
        made: Future[CaptionRequest] = Future()
        made.set_result(CaptionRequest(clip.id, body, size, {}))
        return made

    def stream(self, items: Iterator[Prepared]) -> Iterator[Chunk]:  # noqa: D102
        model = self._settings.model or ""
        with connected(self._address, model, _TIMEOUT_S, self._dialect, self._server) as (portal, endpoint):
            sender = Sender(endpoint, self.batch_size, Spending(None), Patience(), judging=judge_tags)
            for chunk in stream_live(portal, sender, items):
                yield [(item, self._read(result)) for item, result in chunk]

    def _read(self, result: Answer | ClipError) -> Answer | ClipError:
        if not isinstance(result, Answer):
            return result
        facts = (result.finish_reason, result.tokens_in, result.tokens_out, result.seconds, result.cost_usd)
        details = {**result.details, "raw": result.value}
        try:
            return Answer(read_tags(self._key, result.value or ""), *facts, details)
        except ClipError as error:
            return AnsweredError(error.kind, error.message, *facts, details)
