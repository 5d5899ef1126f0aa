"""One server: its address, the key, and single attempts at a request. The only place that knows the key."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from resources.captioners.openai.address import Address
from resources.captioners.openai.clients import response_type
from resources.captioners.openai.failures import (
    Cause,
    Failure,
    cause_of_status,
    error_code,
    fatal_sentence,
    retry_after_s,
)
from resources.captioners.openai.reply import MalformedReply, Reply, read_reply

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class Endpoint:
    """Sends one request at a time to ``chat/completions`` and turns whatever happens into a value.

    Args:
        client: from `open_client`.
        timeout_s: seconds for a whole attempt, from sending to the last byte.
    """

    def __init__(self, client: "AsyncOpenAI", address: Address, model: str, timeout_s: float) -> None:
        self._client = client
        self._address = address
        self._model = model
        self._timeout_s = timeout_s
        self._response_type = response_type()

    async def ask(self, body: Mapping[str, Any], trace_id: str) -> Reply | Failure:
        """One attempt. ``trace_id`` is sent along, so that a lost request can be found at the server."""
        try:
            async with asyncio.timeout(self._timeout_s):
                response: Any = await self._client.post(
                    "/chat/completions",
                    body=body,
                    cast_to=self._response_type,
                    options={"headers": {"X-Client-Request-Id": trace_id}},
                )
        except Exception as error:
            if (failure := self.failure_of(error)) is None:
                raise
            return failure
        return self._read(response)

    def failure_of(self, error: Exception) -> Failure | None:
        """What an exception of the client means; ``None`` for one that is not about the server."""
        import aiohttp
        import openai

        if isinstance(error, openai.APIStatusError):
            return self.failure_of_response(error.response.status_code, error.body, error.response)
        network = _network_error(error)
        said = self._address.redact(f"{type(network).__name__}: {network}")
        if isinstance(network, aiohttp.ClientConnectorError):
            return Failure(Cause.UNREACHABLE, f"{self._address.host}: {said}")
        if isinstance(network, openai.APITimeoutError | TimeoutError):
            return Failure(Cause.TIMEOUT, f"no answer from {self._address.host} within {self._timeout_s:g} s")
        if isinstance(network, openai.APIConnectionError | aiohttp.ClientError):
            return Failure(Cause.DROPPED, f"{self._address.host}: {said}")
        return None

    def _read(self, response: Any) -> Reply | Failure:
        try:
            return read_reply(response.json(), response.headers.get("x-request-id"))
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
            return Failure(
                cause,
                fatal_sentence(status, code, self._model, self._address.host, self._address.key_name, said),
            )
        headers = (
            {name.lower(): value for name, value in response.headers.items()} if response is not None else {}
        )
        return Failure(cause, f"{self._address.host} answered {status}: {said}", retry_after_s(headers))


def _network_error(error: BaseException) -> BaseException:
    """What aiohttp said, which the layers above it blur: to them every lost connection is a timeout."""
    import aiohttp

    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, aiohttp.ClientError):
        behind = behind.__cause__
    return behind or error


def _message_in(body: object) -> str:
    if not isinstance(body, Mapping):
        return ""
    inner = body.get("error")
    error = inner if isinstance(inner, Mapping) else body
    return str(error.get("message") or inner or "")
