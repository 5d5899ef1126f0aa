"""Where requests go, and the key, which only this and the client that is made from it ever see."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr

from resources.annotation.outcome import AnnotatorError

OPENAI_URL = "https://api.openai.com/v1"
_LONGEST_QUOTE = 300


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
        parts = urlsplit(self.base_url)
        if parts.username is not None or parts.password is not None or parts.query:
            raise AnnotatorError(
                "base_url must hold neither credentials nor a query, because logs show it: "
                "pass the key as api_key",
                retryable=False,
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise AnnotatorError(f"base_url must be a full address like {OPENAI_URL}", retryable=False)
        key = self.api_key.get_secret_value()
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise AnnotatorError(
                "the API key holds a blank, a line break or a letter that no key has: "
                f"set {self.key_name} again",
                retryable=False,
            )

    @property
    def host(self) -> str:
        """The server's name without port, as recipes and messages show it."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_openai(self) -> bool:
        """Is it OpenAI itself?"""
        return self.host == urlsplit(OPENAI_URL).hostname

    def require_key(self) -> None:
        """Refuse to start without a key where one is certainly needed.

        Raises:
            AnnotatorError: no key for OpenAI itself. Other servers may need none.
        """
        if not self.api_key.get_secret_value() and self.is_openai:
            raise AnnotatorError(
                f"no API key for {self.host}: set {self.key_name}, or base_url for another server",
                retryable=False,
            )

    def redact(self, text: str) -> str:
        """The text without the key, cut to a length fit for an error message."""
        key = self.api_key.get_secret_value()
        text = text.replace(key, "[api key]") if key else text
        text = " ".join(text.split())
        return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"
