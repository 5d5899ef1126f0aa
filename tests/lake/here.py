"""Files read in this process, where a test is not about the children that read them."""

from collections.abc import Callable
from typing import Any


class Here:
    """Stands for ``IsolatedWorkers``."""

    workers = 1
    timeout_s = 120.0

    def call(self, function: Callable, *arguments: Any, timeout_s: float | None = None) -> Any:
        return function(*arguments)
