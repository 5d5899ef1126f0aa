"""Where requests go, and the key, which only this and the client that is made from it ever see."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from pydantic import SecretStr

from resources.annotation.outcome import SetupError

if TYPE_CHECKING:
    from resources.engine.server import Server
    from resources.engine.settings import ServedModel

OPENAI_URL = "https://api.openai.com/v1"
_LONGEST_QUOTE = 300
# Servers of one's own take any key; "x" stands in every sentence.
_SHORT_KEY = 8


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go and who sends them. Its repr shows no key, and its URL holds none.

    ``key_name`` is the environment variable with the key, for messages.

    Raises:
        AnnotatorError: the URL is none, or carries credentials or a query, which logs would show; or the
            key is none, and the library that sends it would quote it in its complaint.
    """

    base_url: str
    api_key: SecretStr
    key_name: str = "OPENAI_API_KEY"

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", _cleaned(self.base_url))
        try:
            parts = urlsplit(self.base_url)
            _ = parts.port
        except ValueError as error:
            raise SetupError(f"base_url is no address ({error}): give one like {OPENAI_URL}") from None
        if parts.username is not None or parts.password is not None or parts.query:
            raise SetupError(
                "base_url must hold neither credentials nor a query, because logs show it: "
                "pass the key as api_key"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SetupError(f"base_url must be a full address like {OPENAI_URL}")
        key = self.api_key.get_secret_value()
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise SetupError(
                "the API key holds a blank, a line break or a letter that no key has: "
                f"set {self.key_name} again"
            )

    @classmethod
    def of(cls, settings: "ServedModel", server: "Server | None") -> Self:
        """The address that an entry names, or of the server that is started for it, which takes no key."""
        key = settings.api_key
        if server is not None:
            return cls(server.base_url, SecretStr(""), key.name)
        return cls(settings.base_url or OPENAI_URL, SecretStr(key.value() or ""), key.name)

    @property
    def host(self) -> str:
        """The server's name without port, as recipes and messages show it."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_openai(self) -> bool:
        """Is it OpenAI itself?"""
        return self.host == urlsplit(OPENAI_URL).hostname

    @property
    def is_own(self) -> bool:
        """Is it a machine of one's own: this one, one of a private network, or a name without a domain?"""
        try:
            return ip_address(self.host).is_private
        except ValueError:
            return "." not in self.host or self.host.endswith((".local", ".internal", ".localdomain", ".svc"))

    def require_key(self) -> None:
        """Refuse to start without a key where one is certainly needed.

        Raises:
            AnnotatorError: no key for OpenAI itself. Other servers may need none.
        """
        if not self.api_key.get_secret_value() and self.is_openai:
            raise SetupError(
                f"no API key for {self.host}: set {self.key_name}, or base_url for another server"
            )

    def redact(self, text: str) -> str:
        """The text without the key, cut to a length fit for an error message."""
        key = self.api_key.get_secret_value()
        if len(key) >= _SHORT_KEY:
            text = text.replace(key, "[api key]")
        elif key:
            text = re.sub(rf"(?<!\w){re.escape(key)}(?!\w)", "[api key]", text)
        text = " ".join(text.split())
        return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"


def _cleaned(url: str) -> str:
    """The address without what stands around it, and without the path of the calls below it.

    Raises:
        AnnotatorError: something inside it that no address has.
    """
    url = url.strip().strip("\ufeff\u200b\"'`“”‘’<>,;#? \t")
    if any(char.isspace() or char == "\\" or not char.isprintable() for char in url):
        raise SetupError(f"base_url holds a blank or an odd letter: give an address like {OPENAI_URL}")
    return re.sub(r"/(?:(?:chat/)?completions|chat|embeddings|responses|models)/?$", "", url).rstrip("/")
