"""What a card could do at the very most: arithmetic and memory traffic of a caption, no measurement.

    python benchmarks/roofline.py

Prints the tables of docs/scale.md. A multiplication with an addition counts as two operations. A batch is read whole
(prefill, bound by arithmetic), then every step writes one token for each of its captions and reads all weights and the
keys and values of all tokens so far (decode, bound by memory or arithmetic, whichever is slower). Nothing else is
counted: no launch of a kernel, no Python, no decoding of files. The cards' figures are those of their makers, dense.
"""

from dataclasses import dataclass

BYTES = 2  # bfloat16
SHARE = 0.92  # of a card's memory, for weights and cache


@dataclass(frozen=True)
class Card:
    """``flops`` a second in bfloat16, dense; ``bandwidth`` and ``memory`` in bytes (a second)."""

    name: str
    flops: float
    bandwidth: float
    memory: float


@dataclass(frozen=True)
class Vision:
    """A tower of transformer layers over the patches of one picture."""

    layers: int = 24
    width: int = 1024
    patches: int = 577
    parameters: float = 0.304e9

    @property
    def flops(self) -> float:
        """Operations for one picture."""
        return 2 * self.parameters * self.patches + 4 * self.layers * self.width * self.patches**2


@dataclass(frozen=True)
class Model:
    """A model and how a clip is put to it.

    ``parameters`` and the widths are the language model's, ``key_value_width`` that of one layer's keys; ``pictures``
    go through the tower, ``tokens_in`` and ``tokens_out`` are what the language model reads and writes.
    """

    name: str
    parameters: float
    layers: int
    width: int
    key_value_width: int
    pictures: int
    tokens_in: int
    tokens_out: int = 120

    @property
    def prefill_flops(self) -> float:
        """Operations until the first token is known."""
        attention = 2 * self.layers * self.width * self.tokens_in**2
        return self.pictures * Vision().flops + 2 * self.parameters * self.tokens_in + attention

    @property
    def step_flops(self) -> float:
        """Operations of one further token, half-way through the answer."""
        return 2 * self.parameters + 4 * self.layers * self.width * self._half_way

    @property
    def cache_bytes(self) -> float:
        """Keys and values of a caption, half-way through the answer."""
        return 2 * self.layers * self.key_value_width * BYTES * self._half_way

    @property
    def weight_bytes(self) -> float:
        """All weights, the tower's included."""
        return (self.parameters + Vision().parameters) * BYTES

    @property
    def _half_way(self) -> float:
        return self.tokens_in + self.tokens_out / 2

    def rate(self, card: Card, batch: int) -> float | None:
        """Captions a second at the most; ``None`` where weights and cache do not fit."""
        whole = self.cache_bytes / self._half_way * (self.tokens_in + self.tokens_out)
        if self.weight_bytes + batch * whole > SHARE * card.memory:
            return None
        read = (self.parameters * BYTES + batch * self.cache_bytes) / card.bandwidth
        step = max(read, batch * self.step_flops / card.flops)
        return batch / (batch * self.prefill_flops / card.flops + self.tokens_out * step)


CARDS = (Card("H100 SXM", 989e12, 3.35e12, 80e9), Card("RTX 4090", 165e12, 1.008e12, 24e9))
MODELS = (
    Model("PLLaVA-13B, 4 frames", 13.0e9, 40, 5120, 5120, 4, 870),
    Model("LLaVA-1.6-7B, 1 frame of 597x336", 7.24e9, 32, 4096, 1024, 3, 1608),
    Model("LLaVA-1.6-7B, 3 frames of 597x336", 7.24e9, 32, 4096, 1024, 9, 4960),
)
BATCHES = (1, 2, 4, 8, 16, 32, 64)


def tables() -> str:
    """Both tables, as docs/scale.md shows them."""
    lines = [
        "| | tokens in / out | prefill, TFLOP | a step, GFLOP | weights, GB | cache, GB |",
        "|---|---|---|---|---|---|",
    ]
    for model in MODELS:
        lines.append(
            f"| {model.name} | {model.tokens_in} / {model.tokens_out} | {model.prefill_flops / 1e12:.1f} | "
            f"{model.step_flops / 1e9:.1f} | {model.weight_bytes / 1e9:.1f} | {model.cache_bytes / 1e9:.2f} |"
        )
    lines += [
        "",
        f"| captions/s at batch | {' | '.join(map(str, BATCHES))} |",
        "|---" * (len(BATCHES) + 1) + "|",
    ]
    for card in CARDS:
        for model in MODELS:
            rates = [model.rate(card, batch) for batch in BATCHES]
            shown = " | ".join("-" if rate is None else f"{rate:.2f}" for rate in rates)
            lines.append(f"| {card.name}, {model.name} | {shown} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(tables())
