"""One server: its address, the key, and single attempts at a request. The only place that knows the key."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from resources.annotation.outcome import AnnotatorError
from resources.captioners.openai.failures import Cause, Failure, cause_of_status, error_code, fatal_sentence
from resources.captioners.openai.rate_limits import retry_after_s
from resources.captioners.openai.reply import MalformedReply, Reply, read_reply

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OPENAI_URL = "https://api.openai.com/v1"
_LONGEST_QUOTE = 300


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go and who sends them. Its repr shows no key, and its URL holds none.

    Raises:
        AnnotatorError: the URL is none, or carries credentials or a query, which logs would show.
    """

    base_url: str
    api_key: SecretStr

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.username is not None or parts.password is not None or parts.query:
            raise AnnotatorError(
                "base_url must hold neither credentials nor a query, because logs show it: "
                "pass the key as api_key",
                retryable=False,
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise AnnotatorError(
                f"base_url must be like {OPENAI_URL}, not '{self.base_url}'", retryable=False
            )

    @property
    def host(self) -> str:
        """The server's name without port, as recipes and messages show it."""
        return urlsplit(self.base_url).hostname or ""

    def require_key(self) -> None:
        """Refuse to start without a key where one is certainly needed.

        Raises:
            AnnotatorError: no key for OpenAI itself. Other servers may need none.
        """
        if not self.api_key.get_secret_value() and self.host == urlsplit(OPENAI_URL).hostname:
            raise AnnotatorError(
                f"no API key for {self.host}: set OPENAI_API_KEY, or base_url for another server",
                retryable=False,
            )

    def redact(self, text: str) -> str:
        """The text without the key, cut to a length fit for an error message."""
        key = self.api_key.get_secret_value()
        text = text.replace(key, "[api key]") if key else text
        text = " ".join(text.split())
        return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"


@dataclass(frozen=True, slots=True)
class Received:
    """A reply with the headers it came with (names in lower case)."""

    reply: Reply
    headers: Mapping[str, str]


def open_client(address: Address, timeout_s: float) -> "AsyncOpenAI":
    """The ``openai`` client, which leaves retries to us."""
    import openai

    return openai.AsyncOpenAI(
        api_key=address.api_key.get_secret_value() or "none",
        base_url=address.base_url,
        max_retries=0,
        timeout=timeout_s,
    )


class Endpoint:
    """Sends one request at a time to ``chat/completions`` and turns whatever happens into a value.

    Args:
        client: from :func:`open_client`.
        timeout_s: seconds for a whole attempt, from sending to the last byte.
    """

    def __init__(self, client: "AsyncOpenAI", address: Address, model: str, timeout_s: float) -> None:
        self._client = client
        self._address = address
        self._model = model
        self._timeout_s = timeout_s

    async def ask(self, body: Mapping[str, Any], trace_id: str) -> Received | Failure:
        """One attempt. ``trace_id`` is sent along, so that a lost request can be found at the server."""
        try:
            async with asyncio.timeout(self._timeout_s):
                raw = await self._client.chat.completions.with_raw_response.create(
                    **body, extra_headers={"X-Client-Request-Id": trace_id}
                )
        except Exception as error:
            if (failure := self.failure_of(error)) is None:
                raise
            return failure
        return self._read(raw.http_response)

    def failure_of(self, error: Exception) -> Failure | None:
        """What an exception of the client means; ``None`` for one that is not about the server."""
        import openai

        if isinstance(error, openai.APIStatusError):
            return self.failure_of_response(error.response.status_code, error.body, error.response)
        if isinstance(error, openai.APITimeoutError | TimeoutError):
            return Failure(Cause.TIMEOUT, f"no answer from {self._address.host} within {self._timeout_s:g} s")
        if isinstance(error, openai.APIConnectionError):
            never_sent = type(error.__cause__).__name__ == "ConnectError"
            said = self._address.redact(f"{type(error.__cause__).__name__}: {error.__cause__}")
            return Failure(
                Cause.UNREACHABLE if never_sent else Cause.DROPPED, f"{self._address.host}: {said}"
            )
        return None

    def _read(self, response: Any) -> Received | Failure:
        headers = {name.lower(): value for name, value in response.headers.items()}
        try:
            return Received(read_reply(response.json(), headers.get("x-request-id")), headers)
        except MalformedReply as error:
            return Failure(Cause.MALFORMED, self._address.redact(str(error)), usage=error.usage)
        except ValueError:
            return Failure(Cause.MALFORMED, f"the reply is no JSON: {self._address.redact(response.text)}")

    def failure_of_response(self, status: int, body: object, response: Any = None) -> Failure:
        """The failure that an error status stands for; ``body`` is the parsed error body, if it was JSON."""
        code = error_code(body)
        cause = cause_of_status(status, code)
        said = self._address.redact(_message_in(body) or (response.text if response is not None else ""))
        if cause is Cause.FATAL:
            return Failure(cause, fatal_sentence(status, code, self._model, self._address.host, said))
        headers = (
            {name.lower(): value for name, value in response.headers.items()} if response is not None else {}
        )
        return Failure(cause, f"{self._address.host} answered {status}: {said}", retry_after_s(headers))


def _message_in(body: object) -> str:
    if not isinstance(body, Mapping):
        return ""
    inner = body.get("error")
    error = inner if isinstance(inner, Mapping) else body
    return str(error.get("message") or inner or "")
