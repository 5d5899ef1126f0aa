"""The data card of an export: what is in it, where its words come from, what was left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from jinja2 import Environment, PackageLoader, StrictUndefined

from resources.words.markdown import plain

_SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
_SIZE_NAMES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")


@dataclass(frozen=True)
class TextOrigin:
    """A source of texts, how many clips have theirs from it, and with which models."""

    name: str
    clips: int
    model: str
    fingerprint: str


def data_card(
    record: Mapping[str, Any], sources: Sequence[TextOrigin], schema: pa.Schema, *, media: bool
) -> str:
    """The README.md of an export, with the header that Hugging Face `datasets` reads.

    ``record`` is what ``export.json`` says of the export; ``media``: whether the tars hold the files themselves.
    """
    environment = Environment(
        loader=PackageLoader("resources.dataset", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["cell"] = lambda value: plain(
        ", ".join(map(str, value)) if isinstance(value, list) else value
    )
    fields = [
        {"name": field.name, "type": str(field.type), "description": field.metadata[b"description"].decode()}
        for field in schema
    ]
    return environment.get_template("card.md.jinja").render(
        record,
        sources=sources,
        media=media,
        fields=fields,
        size_category=_SIZE_NAMES[sum(record["rows"] >= size for size in _SIZES)],
    )
