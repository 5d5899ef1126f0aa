"""What a collection file may say; a wrong one is refused in one sentence with file and line."""

import os
import re
from collections.abc import Iterable, Iterator
from functools import cache, reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any

import yaml
from dagster_shared.yaml_utils import parse_yaml_with_source_position
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    model_validator,
)

from resources.annotation.declaration import CAPTIONS, NAME, TEXT, AnnotatorSettings, Declaration, Role, kinds

TYPE = "vidcap_assets.Collection"
DEFAULT = Path(__file__).with_name("default.yaml")
_ENV = re.compile(r"\{\{\s*env\.(\w+)\s*\}\}")


class CollectionError(Exception):
    """The collection file is wrong; the message says where, and what was expected."""


class Block(BaseModel):
    """A part of the file that run configuration can override for one run."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Block):
    """The clips to caption."""

    uri: str = Field(
        default="demo", description="A folder, or a .csv or .parquet list; demo renders a collection."
    )
    shard_size: int = Field(default=500, gt=0, description="Clips in a new shard; shards never change.")


class Text(Block):
    """Which caption becomes the text of a clip, and so what is tagged."""

    order: list[str] = Field(
        default=[], description="Captioners, the best first; after them the source's own text."
    )
    strip_prefix: bool = Field(default=False, description='Take "The video shows" off.')
    camera_sentence: bool = Field(default=False, description='Add "Camera motion: pan left."')


class CollectionSettings(Block):
    """A collection: where its clips are, who annotates them, which caption is the text."""

    name: Annotated[str, Field(pattern=NAME)] | None = Field(
        default=None, description="Tells collections apart."
    )
    home: str = Field(
        default_factory=lambda: str(Path("data").absolute()), description="Lake, reports, exports."
    )
    warehouse: str | None = Field(
        default=None, description="DuckDB file or ducklake: URI; default: in the home."
    )
    source: Annotated[Source, BeforeValidator(lambda it: {"uri": it} if isinstance(it, str) else it)] = (
        Source()
    )
    text: Text = Text()
    annotators: list[AnnotatorSettings] = []

    _rendered = model_validator(mode="before")(lambda value: rendered(value))

    @property
    def declared(self) -> list[Declaration]:
        """The annotation assets, in the order of the file."""
        return [each for one in self.annotators for each in one.declares()]

    @property
    def captions(self) -> list[str]:
        """The assets of the captioners."""
        return [each.asset for each in self.declared if each.role is Role.CAPTION]

    @property
    def text_order(self) -> list[str]:
        """The captioners whose caption may be the text, the best first; where none is named, as in the file."""
        return [f"captions_{name.removeprefix('captions_')}" for name in self.text.order] or self.captions

    def upstream(self, one: Declaration) -> list[str]:
        """The assets whose answers an annotator reads."""
        groups = {"pixels": [], TEXT: self.text_order, CAPTIONS: self.captions}
        return list(dict.fromkeys(asset for name in one.reads for asset in groups.get(name, [name])))

    def faults(self) -> Iterator[tuple[list, str]]:
        """What does not fit together, each with its place in the file."""
        seen: set[str] = set()
        for place, one in enumerate(self.annotators):
            mine = {one.key, one.step, *(column.name for each in one.declares() for column in each.in_table)}
            if taken := sorted(mine & seen):
                yield (
                    ["annotators", place],
                    f"{', '.join(taken)} is taken by an entry above: give it another name",
                )
            seen |= mine
            for name in (name for each in one.declares() for name in self.upstream(each)):
                if name not in {each.asset for each in self.declared}:
                    where = ["text", "order"] if name in self.text_order else ["annotators", place]
                    yield (
                        where,
                        f"there is no captioner {name}; there are {', '.join(self.captions) or 'none'}",
                    )


def model(names: Iterable[str]) -> type[CollectionSettings]:
    """The settings whose annotators are of these kinds."""
    return _model(tuple(sorted(set(names))))


@cache
def _model(names: tuple[str, ...]) -> type[CollectionSettings]:
    classes = tuple(kinds()[name].load() for name in names) or (AnnotatorSettings,)
    entry: Any = reduce(or_, classes)
    if len(classes) > 1:
        entry = Annotated[entry, Field(discriminator="kind")]
    return create_model("Collection", __base__=CollectionSettings, annotators=(list[entry], []))


def read(text: str, file: str) -> CollectionSettings:
    """The collection that a file describes.

    Raises:
        CollectionError: the file is wrong.
    """
    try:
        parsed = parse_yaml_with_source_position(text, file) if text.strip() else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise CollectionError(
            f"{file}:{mark.line + 1 if mark else 1}: {getattr(error, 'problem', error)}"
        ) from None
    content = parsed.value if parsed else None
    if (
        not isinstance(content, dict)
        or content.get("type") != TYPE
        or not isinstance(content.get("attributes"), dict)
    ):
        raise CollectionError(f"{file}:1: expected `type: {TYPE}`, and `attributes:` below it")

    def fault(path: list, sentence: str) -> CollectionError:
        position, _ = parsed.source_position_tree.lookup_closest_and_path(["attributes", *path], None)
        return CollectionError(f"{file}:{position.start.line}: {'.'.join(map(str, path))}: {sentence}")

    attributes = content["attributes"]
    entries = attributes.get("annotators") if isinstance(attributes.get("annotators"), list) else []
    named = [one.get("kind") if isinstance(one, dict) else one for one in entries]
    for place, kind in enumerate(named):
        if kind not in list(kinds()):
            raise fault(
                ["annotators", place], f"there is no kind {kind!r}; there are {', '.join(sorted(kinds()))}"
            )
    try:
        settings = model(kind for kind in named).model_validate(attributes)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise fault([part for part in first["loc"] if part not in named], first["msg"]) from None
    for path, sentence in settings.faults():
        raise fault(path, sentence)
    return settings


def rendered(value: Any) -> Any:
    """The value with environment variables put in; what is said by a variable that is not set counts as not said."""
    if isinstance(value, str) and (match := _ENV.fullmatch(value)):
        return os.environ.get(match[1]) or None
    if isinstance(value, dict):
        new = {key: rendered(one) for key, one in value.items()}
        return {key: one for key, one in new.items() if one is not None or value[key] is None}
    return [rendered(one) for one in value] if isinstance(value, list) else value


def found() -> Path:
    """The file in force: ``VIDCAP_CONFIG``, ``./vidcap.yaml``, ``$VIDCAP_HOME/vidcap.yaml``, else the package's."""
    if named := os.environ.get("VIDCAP_CONFIG"):
        return Path(named)
    there = [Path("vidcap.yaml"), Path(os.environ.get("VIDCAP_HOME") or "data", "vidcap.yaml")]
    return next((path for path in there if path.is_file()), DEFAULT)
