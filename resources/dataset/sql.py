"""The SQL files of this package, whole or by the names of their statements."""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def script(name: str) -> str:
    """The text of a ``.sql`` file of this package."""
    return files("resources.dataset").joinpath(name).read_text()


def named_queries(name: str) -> dict[str, str]:
    """The statements of a file by the ``-- name: x`` line above each."""
    _, *parts = _NAME.split(script(name))
    return dict(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True))
