"""The map of the house in CONTRIBUTING.md is true: every room with its sentence, every import goes downwards."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = ("vidcap_assets", "resources")
MAP = dict(re.findall(r"^\| `(\S+?)/?` \| (.+?) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE))
FLOORS = [name.removesuffix(".py").replace("/", ".") for name in MAP]


def rooms() -> Iterator[Path]:
    """The packages and modules that stand right below the two roots."""
    for name in HOUSE:
        for place in (ROOT / name).iterdir():
            if place.suffix == ".py" and place.stem != "__init__":
                yield place
            elif (place / "__init__.py").exists():
                yield place / "__init__.py"


def name_of(room: Path) -> str:
    place = room.parent if room.stem == "__init__" else room
    return place.relative_to(ROOT).as_posix()


def test_the_map_has_every_room() -> None:
    assert sorted(MAP) == sorted(map(name_of, rooms()))


@pytest.mark.parametrize("room", sorted(rooms()), ids=name_of)
def test_a_room_says_in_one_sentence_what_it_is_for(room: Path) -> None:
    [sentence, *more] = (ast.get_docstring(ast.parse(room.read_text())) or "").splitlines()
    assert sentence.endswith(".")
    assert not more or room.stem != "__init__", "a room has one sentence"
    assert MAP[name_of(room)] == sentence.replace("``", "`")


class Imported(ast.NodeVisitor):
    """The modules that a file imports, in functions too; what only the type check reads does not count."""

    def __init__(self) -> None:
        self.modules: list[str] = []

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) == "TYPE_CHECKING":
            for one in node.orelse:
                self.visit(one)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.modules += [one.name for one in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.modules += [f"{node.module}.{one.name}" for one in node.names]


def floor_of(module: str) -> int | None:
    """Where the module's room stands in the map, from the top; ``None`` for what is not of the house."""
    room = ".".join(module.split(".")[:2])
    return FLOORS.index(room) if room in FLOORS else None


def test_every_import_goes_downwards() -> None:
    upwards = []
    for file in (file for name in HOUSE for file in (ROOT / name).rglob("*.py")):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        here = floor_of(module)
        if here is None:
            continue
        found = Imported()
        found.visit(ast.parse(file.read_text()))
        upwards += [
            f"{module} imports {one}"
            for one in found.modules
            if (there := floor_of(one)) is not None and there < here
        ]
    assert not upwards, "\n".join(upwards)
