"""A recipe: everything that could change an annotator's answer, and its fingerprint."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """The frozen settings of an annotator.

    ``settings`` must be JSON-able and hold whatever could change an answer: model id and revision,
    weights fingerprint, prompt, frame rule, sampling, dtype, code version. What only changes the speed
    (batch size, workers, device) does not belong in it.

    ``labels`` are settings that name what another setting identifies (a folder's name beside the content of its
    files, a server's address beside the model): recipes that differ in nothing else are one, known by the first
    of them. ``formerly`` holds settings as an earlier version wrote them, where it wrote them otherwise;
    ``known_as`` is the fingerprint of that first one.
    """

    annotator: str
    settings: Mapping[str, Any]
    labels: frozenset[str] = frozenset()
    formerly: Mapping[str, Any] = field(default_factory=dict)
    known_as: str | None = None

    @cached_property
    def canonical_json(self) -> str:
        """The settings as JSON with sorted keys and no spaces: equal settings, equal text."""
        return _canonical({"annotator": self.annotator, **self.settings})

    @cached_property
    def own_fingerprint(self) -> str:
        """The first 16 hex digits of the SHA-256 of :attr:`canonical_json`."""
        return hashlib.sha256(self.canonical_json.encode()).hexdigest()[:16]

    @property
    def fingerprint(self) -> str:
        """What its rows are marked with: the fingerprint of the first of the recipes that are one with it."""
        return self.known_as or self.own_fingerprint

    def is_one_with(self, canonical_json: str, *, formerly: bool) -> bool:
        """Is the recipe of this text the same but for labels; with ``formerly``, as an earlier version wrote it?"""
        settings = {**self.settings, **self.formerly} if formerly else self.settings
        ours = self._without_labels({"annotator": self.annotator, **settings})
        return _canonical(ours) == _canonical(self._without_labels(json.loads(canonical_json)))

    def _without_labels(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: self._without_labels(each) for key, each in value.items() if key not in self.labels}


def _canonical(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
