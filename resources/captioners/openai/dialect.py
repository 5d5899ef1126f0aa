"""What of a request this server takes, learnt from what it refuses: names and fields differ between servers."""

import re
from collections.abc import Mapping
from typing import Any

_REFUSED = re.compile(
    r"unsupported|not support|unknown|unrecogni[sz]ed|unexpected|extra[ _](?:inputs?|fields?|forbidden|parameters?)"
    r"|not (?:permitted|implemented|recogni[sz]ed)|disabled|find field|not allowed|additional propert"
    r"|invalid (?:field|parameter|argument|param)|deprecated"
    r"|only the default|is not (?:a )?valid|cannot (?:both )?be (?:set|used|specified)|no such (?:field|parameter)"
    r"|use ['\"`]?max_|invalid (?:value for )?temperature|temperature.{0,10} must be \d\b(?! or)",
    re.IGNORECASE,
)
_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_NEVER_LEFT_OUT = frozenset({"model", "messages", *_LIMITS})
# Error bodies of some servers have a key of this name.
_DETAIL = re.compile(
    r"image_url.{0,40}detail|'detail'|`detail`|\"detail\"(?!\s*:)|\bdetail\b (?:field|parameter|is not)", re.S
)


class Dialect:
    """Said once by the server, remembered for all requests of a step."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._limit: dict[str, str] = {}
        self._without: set[str] = set()

    @property
    def without(self) -> list[str]:
        """The fields that the server does not take."""
        return sorted(self._without)

    def spoken(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The request as this server takes it."""
        spoken = {self._limit.get(key, key): value for key, value in body.items() if key not in self._without}
        if "detail" in self._without:
            spoken["messages"] = [_without_detail(message) for message in body["messages"]]
        return spoken

    def learn(self, said: str, param: object, sent: Mapping[str, Any]) -> bool:
        """Take in the refusal of a request; may it be sent again, said otherwise?

        Args:
            said: the error body as text.
            param: the field that the server names as the culprit, if it does.
            sent: the request that it refused.
        """
        if not _REFUSED.search(said):
            return False
        for name, other in _LIMITS.items():
            was_told = name in self._limit.values()  # because the server refused the other
            if name in sent and _is_about(name, said, param) and not was_told:
                self._limit = {name: other}
                self._note(f"the server takes {other} and not {name}")
                return True
        for name in sent:
            if name not in _NEVER_LEFT_OUT and _is_about(name, said, param):
                return self._leave_out(name)
        has_detail = "detail" not in self._without or "detail" in str(sent["messages"])[:400]
        if has_detail and (_DETAIL.search(said) or str(param or "").endswith("detail")):
            return self._leave_out("detail")
        return False

    def _leave_out(self, name: str) -> bool:
        self._without.add(name)
        self._note(f"the server does not take {name}: requests go without it")
        return True

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def _is_about(name: str, said: str, param: object) -> bool:
    if isinstance(param, str) and param:
        return param == name or param.endswith(f".{name}")
    return re.search(rf"(?<![\w.]){re.escape(name)}\b", said) is not None


def _without_detail(message: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(parts := message["content"], list):
        return dict(message)
    bare = []
    for part in parts:
        is_image = part.get("type") == "image_url"
        bare.append({**part, "image_url": {"url": part["image_url"]["url"]}} if is_image else part)
    return {**message, "content": bare}
