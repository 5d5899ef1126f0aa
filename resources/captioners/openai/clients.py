"""The ``openai`` client that carries the requests."""

import functools
import importlib.util
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING

from resources.annotation.outcome import SetupError
from resources.captioners.openai.address import Address

if TYPE_CHECKING:
    from openai import AsyncOpenAI


@asynccontextmanager
async def open_client(address: Address, timeout_s: float) -> "AsyncIterator[AsyncOpenAI]":
    """A client that leaves retries to us; closed with the context.

    It carries requests by aiohttp, which takes half the processor time of its default: the default looks at
    every open connection for every request, and with 64 of them that costs as much as all the rest.

    Raises:
        AnnotatorError: the environment names a proxy that cannot be used.
    """
    import openai

    _check_proxy()
    async with openai.AsyncOpenAI(
        api_key=address.api_key.get_secret_value() or "none",
        base_url=address.base_url,
        max_retries=0,
        timeout=timeout_s,
        http_client=openai.DefaultAioHttpClient(verify=_certificates()),
    ) as client:
        yield client


def _check_proxy() -> None:
    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"):
        for variable in (name, name.lower()):
            is_socks = os.environ.get(variable, "").startswith("socks")
            if is_socks and importlib.util.find_spec("socksio") is None:
                raise SetupError(
                    f"{variable} names a SOCKS proxy, for which the package socksio is missing: "
                    "pip install socksio, or unset it"
                )


def response_type() -> type:
    """The class of a reply as it came, headers included.

    Asking a client for it spares its walk over every field of request and reply, another third of the time.
    """
    return _library().Response


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Read once for all clients of the process: it takes a tenth of a second."""
    return _library().create_ssl_context()


def _library() -> ModuleType:
    """The HTTP library that the installed ``openai`` stands on: httpx, or httpx2 since its version 3."""
    import openai

    return importlib.import_module(openai.DefaultAsyncHttpxClient.__mro__[1].__module__.partition(".")[0])
