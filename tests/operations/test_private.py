"""What the product takes from Dagster's private modules stands in one place, checked against one release."""

import ast
import importlib.metadata
from pathlib import Path

from vidcap_assets import dagster_private

ROOT = Path(__file__).parents[2]


def private_imports(file: Path) -> list[str]:
    modules = [
        name
        for node in ast.walk(ast.parse(file.read_text()))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    ]
    return [
        name for name in modules if name.startswith("dagster") and any(p[0] == "_" for p in name.split("."))
    ]


def test_one_module_has_all_private_imports():
    files = [file for room in ("vidcap_assets", "resources") for file in (ROOT / room).rglob("*.py")]
    having = {file.relative_to(ROOT).as_posix() for file in files if private_imports(file)}
    assert having == {"vidcap_assets/dagster_private.py"}


def test_it_is_checked_against_the_release_that_is_installed():
    assert importlib.metadata.version("dagster") == dagster_private.CHECKED, (
        "read dagster_private.py, run tests/operations and tests/assets, then name this release there"
    )


def test_every_name_is_explained():
    explained = dagster_private.__doc__
    tree = ast.parse(Path(dagster_private.__file__).read_text())
    names = [
        one.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dagster._")
        for one in node.names
    ]
    assert len(names) >= 5
    assert not [name for name in names if f"``{name}``" not in explained]
