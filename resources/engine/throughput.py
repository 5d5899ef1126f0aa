"""How fast a model works, its warm-up left out."""

from collections.abc import Sequence
from dataclasses import dataclass

from resources.engine.generation import Generation


@dataclass(slots=True)
class Throughput:
    """Sums over all groups of rows that one engine has computed.

    The first group pays for loading kernels, memory pools and compilation: its seconds are kept apart in
    ``warm_up_s`` and it counts in nothing else.
    """

    rows: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    busy_s: float = 0.0
    warm_up_s: float | None = None

    def record(self, generations: Sequence[Generation], seconds: float) -> None:
        """Count one group of rows."""
        if self.warm_up_s is None:
            self.warm_up_s = seconds
            return
        self.rows += len(generations)
        self.tokens_in += sum(generation.tokens_in for generation in generations)
        self.tokens_out += sum(generation.tokens_out for generation in generations)
        self.busy_s += seconds

    @property
    def rows_per_second(self) -> float | None:
        """``None`` until something beyond the warm-up was computed."""
        return self.rows / self.busy_s if self.busy_s else None
