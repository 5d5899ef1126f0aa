"""The collection file: found, read, and refused in one sentence with its line where it is wrong."""

import difflib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from resources.annotation.block import TEMPLATE, Block
from vidcap_assets.collection.blocks import DEMO_SOURCE
from vidcap_assets.collection.settings import CollectionError, CollectionSettings, load_kind, model

TYPE = "vidcap_assets.Collection"
DEFAULT = Path(__file__).with_name("default.yaml")
VARIABLE = "VIDCAP_CONFIG"
# The steps of a run are children of its process: they go by the file as the run read it, whatever is edited meanwhile.
PINNED = "VIDCAP_PINNED"

Place = Sequence[str | int]


@dataclass(frozen=True)
class CollectionFile:
    """A collection file as it was when it was read; ``path`` only names it."""

    path: Path
    text: str

    @classmethod
    def at(cls, path: Path) -> "CollectionFile":
        """Read a file.

        Raises:
            CollectionError: it cannot be read.
        """
        try:
            return cls(path, path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            raise CollectionError(f"{path}: not UTF-8 text") from None
        except OSError as error:
            raise CollectionError(f"{path}: {error.strerror or error}") from None

    @cached_property
    def settings(self) -> CollectionSettings:
        """The collection that the file describes.

        Raises:
            CollectionError: the file is wrong.
        """
        attributes = self._attributes()
        entries = attributes.get("annotators")
        kinds: list[str] = []
        for number, one in enumerate(entries if isinstance(entries, list) else []):
            kind = one.get("kind") if isinstance(one, dict) else None
            if not isinstance(kind, str):
                raise self.fault(["annotators", number], "an annotator needs a kind: {kind: camera_motion}")
            try:
                load_kind(kind)
            except CollectionError as error:
                raise self.fault(["annotators", number, "kind"], str(error)) from error
            kinds.append(kind)
        try:
            settings = model(kinds).model_validate(attributes)
        except ValidationError as error:
            raise self._invalid(error, kinds) from None
        for place, sentence in settings.faults():
            raise self.fault(place, sentence)
        return settings

    def fault(self, place: Place, sentence: str) -> CollectionError:
        """What is wrong at a place of the attributes, with file and line."""
        line, value = self._look_up(place)
        variable = f" (from {match[1]})" if (match := TEMPLATE.fullmatch(str(value).strip())) else ""
        where = ".".join(map(str, place))
        return CollectionError(f"{self.path}:{line}: {where}{': ' * bool(where)}{sentence}{variable}")

    def origin(self, place: Place) -> str:
        """Where a value comes from: the file's line, a variable, or the default."""
        line, value = self._look_up(place, exactly=True)
        if line is None and place[-1] == "uri":  # a plain text may stand for the whole block
            above, text = self._look_up(place[:-1], exactly=True)
            line, value = (above, text) if text is not None else (None, None)
        if line is None:
            return "default"
        match = TEMPLATE.fullmatch(str(value).strip())
        if match is None:
            return f"{self.path.name}:{line}"
        return match[1] if os.environ.get(match[1]) else "default"

    @cached_property
    def _root(self) -> yaml.MappingNode:
        """The parsed text; refuses what would pass unnoticed: a second document, a doubled key."""
        try:
            documents = list(yaml.compose_all(self.text, yaml.SafeLoader))
        except yaml.MarkedYAMLError as error:
            raise self._wrong(error.problem_mark, f"not YAML: {error.problem}") from None
        except yaml.YAMLError as error:
            raise self._wrong(None, f"not YAML: {' '.join(str(error).split())}") from None
        if len(documents) > 1:
            raise self._wrong(documents[1].start_mark, "a second document; a file is one collection")
        root = documents[0] if documents else None
        if not isinstance(root, yaml.MappingNode):
            raise self._wrong(None, f"expected `type: {TYPE}`, and `attributes:` below it")
        self._check(root, ())
        return root

    def _wrong(self, mark: yaml.Mark | None, sentence: str) -> CollectionError:
        return CollectionError(f"{self.path}:{mark.line + 1 if mark else 1}: {sentence}")

    def _check(self, node: yaml.Node, above: tuple[yaml.Node, ...]) -> None:
        if any(node is one for one in above):
            raise self._wrong(node.start_mark, "it contains itself")
        above = (*above, node)
        if isinstance(node, yaml.ScalarNode):
            if TEMPLATE.search(node.value) and not TEMPLATE.fullmatch(node.value.strip()):
                raise self._wrong(node.start_mark, "{{ env.NAME }} stands alone as a whole value")
        elif isinstance(node, yaml.SequenceNode):
            for one in node.value:
                self._check(one, above)
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise self._wrong(key.start_mark, "a setting's name must be a word")
                if key.value in seen:
                    raise self._wrong(key.start_mark, f"{key.value!r} is there twice")
                seen.add(key.value)
                self._check(value, above)

    def _attributes(self) -> dict[str, Any]:
        loader = yaml.SafeLoader("")
        try:
            content = loader.construct_document(self._root)
        except (yaml.YAMLError, ValueError) as error:
            problem = getattr(error, "problem", None) or str(error)
            raise self._wrong(getattr(error, "problem_mark", None), problem) from None
        if content.get("type") != TYPE:
            raise self._wrong(None, f"expected `type: {TYPE}`, not {content.get('type')!r}")
        attributes = {} if content.get("attributes") is None else content["attributes"]
        if not isinstance(attributes, dict):
            raise self._wrong(None, "`attributes:` must hold settings, such as `source: /clips`")
        if unknown := [key for key in content if key not in ("type", "attributes")]:
            raise self._wrong(None, f"beside type and attributes there is {unknown[0]!r}")
        return attributes if self.path == DEFAULT else _beside(attributes, self.path.parent)

    def _look_up(self, place: Place, *, exactly: bool = False) -> Any:
        """Line and text of the value at a place, or of the closest one above it that is there."""
        node: yaml.Node = self._root
        for step in ("attributes", *place):
            found = None
            if isinstance(node, yaml.MappingNode):
                found = next((value for key, value in node.value if key.value == str(step)), None)
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                found = node.value[step]
            if found is None:
                if exactly:
                    return None, None
                break
            node = found
        return node.start_mark.line + 1, node.value if isinstance(node, yaml.ScalarNode) else None

    def _invalid(self, error: ValidationError, kinds: Sequence[str]) -> CollectionError:
        first = error.errors(include_url=False)[0]
        place: list[str | int] = [*first["loc"]]
        block = (
            CollectionSettings() if len(place) == 1 else getattr(CollectionSettings(), str(place[0]), None)
        )
        there = list(type(block).model_fields) if isinstance(block, Block) else []
        if place[:1] == ["annotators"] and len(place) > 1 and isinstance(place[1], int):
            there = list(load_kind(kinds[place[1]]).model_fields)
            if place[2:3] == [kinds[place[1]]]:
                del place[2]
        sentence = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            sentence = _unknown(str(place[-1]), there)
        elif first["type"] == "missing":
            sentence = "is missing"
        return self.fault(place, sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() else sentence)


def files_in_force(named: str | None = None) -> list[Path]:
    """The files of the collections in force: the named ones, else the first that is found, else the package's own.

    Looked for in this order: ``named`` or ``VIDCAP_CONFIG`` (several with ``:`` between), ``./vidcap.yaml``,
    ``$VIDCAP_HOME/vidcap.yaml``.

    Raises:
        CollectionError: a file that is named is not there.
    """
    if named := named or os.environ.get(VARIABLE):
        paths = [Path(one).expanduser().absolute() for one in named.split(os.pathsep) if one]
        for path in paths:
            if not path.is_file():
                raise CollectionError(f"{path}: there is no such collection file")
        return paths
    home = Path(os.environ.get("VIDCAP_HOME") or "data")
    found = (path.absolute() for path in (Path("vidcap.yaml"), home / "vidcap.yaml") if path.is_file())
    return [next(found, DEFAULT)]


def pinned(path: Path) -> CollectionFile:
    """The file as the first process of this run read it."""
    known: dict[str, str] = json.loads(os.environ.get(PINNED, "{}"))
    if str(path) not in known:
        known[str(path)] = CollectionFile.at(path).text
        os.environ[PINNED] = json.dumps(known)
    return CollectionFile(path, known[str(path)])


def _beside(attributes: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Relative paths of home, warehouse and source are relative to the file that says them."""

    def located(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: located(one) if key == "uri" else one for key, one in value.items()}
        if not isinstance(value, str) or value == DEMO_SOURCE or ":" in value or TEMPLATE.search(value):
            return value
        return str(Path(os.path.normpath(folder.absolute() / Path(value).expanduser())))

    return {
        key: located(value) if key in ("home", "warehouse", "source") else value
        for key, value in attributes.items()
    }


def _unknown(name: str, there: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, there, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(there)}"
    return f"there is no such setting; {hint}" if there else "there is no such setting"
