"""The ``openai`` clients that carry the requests."""

import importlib
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING

from resources.captioners.openai.address import Address

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_IN_FLIGHT_PER_CLIENT = 8


@asynccontextmanager
async def open_clients(
    address: Address, in_flight: int, timeout_s: float
) -> "AsyncIterator[list[AsyncOpenAI]]":
    """Clients for ``in_flight`` requests at a time, which leave retries to us; closed with the context.

    There are several because for every request a client looks at each of its open connections: with 64 of
    them that costs as much time as all the rest of a request.
    """
    import openai

    context = _transport().create_ssl_context()
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                openai.AsyncOpenAI(
                    api_key=address.api_key.get_secret_value() or "none",
                    base_url=address.base_url,
                    max_retries=0,
                    timeout=timeout_s,
                    http_client=openai.DefaultAsyncHttpxClient(verify=context),
                )
            )
            for _ in range(math.ceil(in_flight / _IN_FLIGHT_PER_CLIENT))
        ]


def response_type() -> type:
    """The class of a reply as it came, headers included.

    Asking a client for it spares its walk over every field of the request, another third of the time.
    """
    return _transport().Response


def _transport() -> ModuleType:
    """The HTTP library that the installed ``openai`` stands on: httpx, or httpx2 since its version 3."""
    import openai

    return importlib.import_module(openai.DefaultAsyncHttpxClient.__mro__[1].__module__.partition(".")[0])
