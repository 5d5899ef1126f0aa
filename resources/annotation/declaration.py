"""What an annotator says of itself before anything of it is loaded: settings, what it reads, the columns it adds."""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from resources.annotation.block import Block

if TYPE_CHECKING:
    from resources.annotation.annotator import Annotator
    from resources.lake.lake import Lake
    from resources.video import FrameReader, IsolatedWorkers

NAME = r"^[a-z][a-z0-9_]{0,39}$"
PIXELS, TEXT = "pixels", "text"
CAPTIONS, LABELS, TAGS, SCORES = "captions", "labels", "tags", "scores"
# Among captioners: the text that came with the source list.
SOURCE_TEXT = "source"


class Role(StrEnum):
    """What an answer is, and so how it is checked, shown and counted."""

    CAPTION, LABEL, TAGS, SCORE, STRUCTURED = "caption", "label", "tags", "score", "structured"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of ``captioned_videos``; ``path`` is where it stands in an answer's details, ``None``: the value."""

    name: str
    type: str = "VARCHAR"
    meaning: str = ""
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Declaration:
    """One annotation asset.

    ``reads``: ``pixels``; ``text``; ``captions``, ``labels``, ``tags``, ``scores`` (all of them); ``source``; or
    assets by name.
    """

    asset: str
    role: Role
    columns: tuple[Column, ...]
    meaning: str
    reads: tuple[str, ...] = (PIXELS,)
    parts: Mapping[str, str] = field(default_factory=dict)
    """Fields of the answer that may be the text of a clip: where each stands in the details, by its name."""

    @property
    def in_table(self) -> tuple[Column, ...]:
        """Its columns, and the one that says whether there is an answer (NULL: nobody has looked yet)."""
        return (*self.columns, Column(f"{self.asset}_status", meaning="ok, failed, skipped"))


@dataclass(frozen=True)
class Scene:
    """What an annotator may use while it works."""

    frames: "FrameReader"
    workers: "IsolatedWorkers"
    lake: "Lake"
    run_id: str
    log: Callable[[str], None]


class AnnotatorSettings(Block):
    """An entry of ``annotators:``. A kind of annotator is a subclass, named by an entry point of its package."""

    pool: ClassVar[str | None] = None
    icons: ClassVar[frozenset[str]] = frozenset()
    # Raised where its code comes to answer otherwise; and the settings that change no answer.
    code_version: ClassVar[int] = 1
    indifferent: ClassVar[frozenset[str]] = frozenset()

    kind: str
    name: str = Field(
        pattern=NAME, description="What its columns, assets and run configuration are called by."
    )
    paid: bool = Field(default=False, description="Costs money: runs only where it is asked for by name.")

    @property
    def key(self) -> str:
        """Its name in run configuration: ``resources: {<key>: {config: …}}``."""
        return self.name

    @property
    def step(self) -> str:
        """The name of its step: ``ops: {<step>: {config: {redo: FAILED}}}``."""
        return self.name

    def declares(self) -> tuple[Declaration, ...]:
        """Its assets; several where one loaded model answers for all of them."""
        raise NotImplementedError

    def open(self, scene: Scene) -> AbstractContextManager[Mapping[str, "Annotator"]]:
        """The annotator of each asset, closed with the context. Cheap: weights load with the first batch."""
        raise NotImplementedError

    def missing(self) -> str | None:
        """What it has to be told before it can work, in a sentence; ``None`` where nothing is missing."""
        return None

    def for_demo(self) -> Self:
        """The same entry in the demo collection: where it names no model, with the demonstration model."""
        return self

    @property
    def uses_demo_model(self) -> bool:
        """Does it answer with a demonstration model, which knows the demo clips and nothing else?"""
        return False

    def own(self, **form: Any) -> dict:
        """The settings of the kind itself that could change an answer; ``form``: see ``BaseModel.model_dump``."""
        return self.model_dump(exclude={*AnnotatorSettings.model_fields, *self.indifferent}, **form)

    def deciding(self) -> dict:
        """Those of them that are not the default, as JSON can say them."""
        return self.own(mode="json", exclude_defaults=True)

    def recipe_version(self, *read: str) -> str:
        """The recipe as far as it is known before anything is loaded, as a hash: another one shows as *Unsynced*.

        Args:
            read: whose answers are read, the preferred one first.
        """
        known = json.dumps([self.kind, self.code_version, self.deciding(), read], sort_keys=True)
        return hashlib.sha256(known.encode()).hexdigest()[:16]


@cache
def kinds() -> Mapping[str, EntryPoint]:
    """The kinds that are installed; none of them is imported for it."""
    return {point.name: point for point in entry_points(group="vidcap.annotators")}
