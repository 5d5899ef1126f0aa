"""A recipe: everything that could change an annotator's answer, and its fingerprint."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """The frozen settings of an annotator.

    ``settings`` must be JSON-able and hold whatever could change an answer: model id and revision,
    weights fingerprint, prompt, frame rule, sampling, dtype, code version. What only changes the speed
    (batch size, workers, device) does not belong in it.
    """

    annotator: str
    settings: Mapping[str, Any]

    @cached_property
    def canonical_json(self) -> str:
        """The settings as JSON with sorted keys and no spaces: equal settings, equal text."""
        return json.dumps(
            {"annotator": self.annotator, **self.settings},
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )

    @cached_property
    def fingerprint(self) -> str:
        """The first 16 hex digits of the SHA-256 of :attr:`canonical_json`."""
        return hashlib.sha256(self.canonical_json.encode()).hexdigest()[:16]
