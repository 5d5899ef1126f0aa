"""What training tools read, as ``presets.yaml`` says it, which explains each field."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from resources.annotation.clip import Kind

# Theirs: ours. A mapping in the place of ours is a nested object.
Columns = Mapping[str, str | Mapping[str, str]]


class Form(StrEnum):
    """How a list is written."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"
    LINES = "lines"
    """One value a line; a caption's own line breaks become spaces."""
    BY_NAME = "by name"
    """A JSON object with the captions of each file under its name."""


class Listing(BaseModel):
    """A list of clips."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    form: Form
    columns: Columns


class Preset(BaseModel):
    """The files of one tool, or of several that read the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tools: str
    use: str
    media: Mapping[Kind, str] = {}
    lists: tuple[Listing, ...] = ()
    sidecar: str | None = None
    several: Listing | None = None
    only: frozenset[str] = frozenset()
    tars: bool = False
    extra: Mapping[str, str] = {}


@cache
def presets() -> Mapping[str, Preset]:
    """All presets by name: the package's own, and those that other packages name in the group ``vidcap.presets``."""
    content = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    own = TypeAdapter(dict[str, Preset]).validate_python(content)
    found = {point.name: point.load() for point in entry_points(group="vidcap.presets")}
    return {**found, **own, "fastvideo": own["open-sora-plan"]}
