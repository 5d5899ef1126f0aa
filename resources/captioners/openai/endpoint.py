"""One server: its address, the key, and single attempts at a request. The only place that knows the key."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from anyio.from_thread import BlockingPortal, start_blocking_portal

from resources.captioners.openai.address import Address
from resources.captioners.openai.clients import open_client, response_type
from resources.captioners.openai.dialect import Dialect
from resources.captioners.openai.failures import (
    Cause,
    Failure,
    cause_of_status,
    error_code,
    error_in,
    fatal_sentence,
    retry_after_s,
)
from resources.captioners.openai.reply import ErrorReply, MalformedReply, Reply, read_reply
from resources.captioners.openai.streamed import completion_of, is_streamed

if TYPE_CHECKING:
    from resources.engine.server import Server


@dataclass
class Endpoint:
    """Sends one request at a time to ``chat/completions`` and turns whatever happens into a value.

    Args:
        client: from `open_client`.
        dialect: what this server takes; learns from what it refuses.
        timeout_s: seconds for a whole attempt, from sending to the last byte.
        server: what starts the server, if it is to be started; it is asked by its own name for the model.
    """

    client: Any
    address: Address
    model: str
    timeout_s: float
    dialect: Dialect
    server: "Server | None" = None
    _served_name: str | None = field(default=None, init=False)
    _response_type: type = field(default_factory=response_type, init=False)

    async def ask(self, body: Mapping[str, Any], trace_id: str) -> Reply | Failure:
        """One attempt. ``trace_id`` is sent along, so that a lost request can be found at the server.

        A field that the server refuses to know is left out or renamed, and the request sent again at once.

        Raises:
            AnnotatorError: the server that was to be started does not run.
        """
        if self.server is not None:
            body = {**body, "model": await self._ready(self.server)}
        # What a header can carry: an id may hold any letter, and a line break.
        headers = {"X-Client-Request-Id": quote(trace_id, safe="")[-512:]}
        while True:
            spoken = self.dialect.spoken(body)
            try:
                async with asyncio.timeout(self.timeout_s):
                    response: Any = await self.client.post(
                        "/chat/completions",
                        body=spoken,
                        cast_to=self._response_type,
                        options={"headers": headers},
                    )
            except Exception as error:
                if self._has_learnt(error, spoken):
                    continue
                if (failure := self.failure_of(error)) is None:
                    raise
                if failure.cause in (Cause.UNREACHABLE, Cause.DROPPED):
                    self._served_name = None  # the next attempt looks after the server first
                return failure
            return self._read(response)

    def _has_learnt(self, error: Exception, sent: Mapping[str, Any]) -> bool:
        import openai

        if not isinstance(error, openai.BadRequestError | openai.UnprocessableEntityError):
            return False
        return self.dialect.learn(error.response.text, error_in(error.body).get("param"), sent)

    async def _ready(self, server: "Server") -> str:
        """The served model's name, once its server is ready; started where it is not there, or no longer."""
        if not server.is_up or self._served_name is None:
            await asyncio.to_thread(server.start)
            self._served_name = await asyncio.to_thread(server.model_name)
        return self._served_name

    def failure_of(self, error: Exception) -> Failure | None:
        """What an exception of the client means; ``None`` for one that is not about the server."""
        import aiohttp
        import openai

        if isinstance(error, openai.APIStatusError):
            return self.failure_of_response(error.response.status_code, error.body, error.response)
        network = _network_error(error)
        said = self.address.redact(f"{type(network).__name__}: {network}")
        if isinstance(network, aiohttp.ClientConnectorError):
            return Failure(Cause.UNREACHABLE, f"{self.address.host}: {said}")
        if isinstance(network, openai.APITimeoutError | TimeoutError):
            return Failure(Cause.TIMEOUT, f"no answer from {self.address.host} within {self.timeout_s:g} s")
        if isinstance(network, openai.APIConnectionError | aiohttp.ClientError):
            return Failure(Cause.DROPPED, f"{self.address.host}: {said}")
        if isinstance(network, openai.APIError):
            return Failure(Cause.MALFORMED, f"{self.address.host}: {said}")
        return None

    def _read(self, response: Any) -> Reply | Failure:
        request_id = response.headers.get("x-request-id")
        try:
            is_stream = is_streamed(response.headers.get("content-type", ""), response.content)
            return read_reply(completion_of(response.content) if is_stream else response.json(), request_id)
        except MalformedReply as error:
            return Failure(Cause.MALFORMED, self.address.redact(str(error)), usage=error.usage)
        except ErrorReply as error:
            return self.failure_of_response(error.status, error.body, response)
        except (ValueError, RecursionError):
            return Failure(Cause.MALFORMED, f"the reply is no JSON: {self.address.redact(response.text)}")

    def failure_of_response(self, status: int, body: object, response: Any = None) -> Failure:
        """The failure that an error status stands for; ``body`` is the parsed error body, if it was JSON."""
        code = error_code(body)
        text = response.text if response is not None else ""
        cause = cause_of_status(status, code, f"{body or ''} {text}")
        said = self.address.redact(_message_in(body) or text)
        sentence = f"{self.address.host} answered {status}: {said}"
        if cause is Cause.FATAL:
            sentence = fatal_sentence(
                status, code, self.model, self.address.host, self.address.key_name, said
            )
        headers = response.headers if response is not None else {}
        return Failure(
            cause,
            sentence,
            retry_after_s({name.lower(): value for name, value in headers.items()}),
            is_forbidden=status == 403 and cause is Cause.FATAL,
        )


@contextmanager
def connected(
    address: Address, model: str, timeout_s: float, dialect: Dialect, server: "Server | None"
) -> Iterator[tuple[BlockingPortal, Endpoint]]:
    """An event loop on a thread of its own and the endpoint there; the connections end with the context."""
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(open_client(address, timeout_s)) as client,
    ):
        yield portal, Endpoint(client, address, model, timeout_s, dialect, server)


def _network_error(error: BaseException) -> BaseException:
    """What aiohttp said, which the layers above it blur: to them every lost connection is a timeout."""
    import aiohttp

    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, aiohttp.ClientError):
        behind = behind.__cause__
    return behind or error


def _message_in(body: object) -> str:
    error = error_in(body)
    inner = body.get("error") if isinstance(body, Mapping) else None
    return str(error.get("message") or inner or "")
