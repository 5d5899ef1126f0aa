"""What the captioners and the tagger have in common: an engine that loads on first use, and its answers."""

import threading
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.annotation.annotator import Annotator
from resources.annotation.outcome import AnnotatorError, Answer, ClipError, ErrorKind
from resources.engine.checkpoint import Checkpoint
from resources.engine.placement import Placement

if TYPE_CHECKING:
    from resources.engine.engine import Engine
    from resources.engine.generation import Generation
    from resources.engine.model_spec import ModelSpec
    from resources.engine.rows import Row
    from resources.engine.throughput import Throughput


class LazyEngine:
    """One model, loaded by whoever generates first and shared by all who hold this object.

    Args:
        max_new_tokens: where every generation ends at the latest.
        lease_timeout_s: how long to wait for a free device.
        answer_timeout_s: how long a split model may take for one batch before its ranks are given up.
    """

    def __init__(
        self,
        placement: Placement,
        max_new_tokens: int,
        lease_timeout_s: float = 3600.0,
        answer_timeout_s: float = 1800.0,
    ) -> None:
        if max_new_tokens < 1:
            raise AnnotatorError(f"max_new_tokens must be at least 1, not {max_new_tokens}")
        self.placement = placement
        self.max_new_tokens = max_new_tokens
        self._lease_timeout_s = lease_timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    def generate(self, spec: "ModelSpec", rows: Sequence["Row"]) -> list["Generation"]:
        """See :meth:`resources.engine.engine.Engine.generate`."""
        with self._lock:
            if self._engine is None:
                from resources.engine.start import start_engine

                self._engine = start_engine(spec, self._lease_timeout_s, self._answer_timeout_s)
            return self._engine.generate(rows, self.max_new_tokens)

    @property
    def throughput(self) -> "Throughput | None":
        """What the engine has done so far; ``None`` before it was started."""
        return self._engine.throughput if self._engine else None

    def close(self) -> None:
        """Give back the model; a later :meth:`generate` would load it again."""
        with self._lock:
            engine, self._engine = self._engine, None
            if engine is not None:
                engine.close()


class ModelAnnotator(Annotator):
    """An annotator that puts rows of tokens and pixels to a local model and reads its text.

    A subclass makes a :class:`~resources.engine.rows.Row` of a clip in ``prepare`` and says how the model
    is loaded, how tokens become text, and what the text means.
    """

    def __init__(self, engine: LazyEngine, batch_size: int) -> None:
        if batch_size < 1:
            raise AnnotatorError(f"batch_size must be at least 1, not {batch_size}")
        self.engine = engine
        self.batch_size = batch_size

    @abstractmethod
    def model_spec(self) -> "ModelSpec":
        """How the model is loaded. Called once, when the first batch arrives."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """New tokens to text."""

    def interpret(self, text: str, details: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The answer's value and details, from the model's text. Default: the text in one line.

        Raises:
            ClipError: the text is no answer.
        """
        value = text.replace("\n", " ").strip()
        if not value:
            raise ClipError(ErrorKind.EMPTY_OUTPUT, "the model ended without a word")
        return value, details

    def annotate(self, batch: Sequence["Row"]) -> list[Answer | ClipError]:  # noqa: D102
        generations = self.engine.generate(self.model_spec(), batch)
        return [self.answer(row, generation) for row, generation in zip(batch, generations, strict=True)]

    def answer(self, row: "Row", generation: "Generation") -> Answer | ClipError:
        """What a generation says of its row."""
        try:
            value, details = self.interpret(self.decode(generation.ids), row.details)
        except ClipError as error:
            return error
        return Answer(
            value,
            finish_reason=generation.finish.value,
            tokens_in=generation.tokens_in,
            tokens_out=generation.tokens_out,
            seconds=generation.seconds,
            details=details,
        )

    def close(self) -> None:  # noqa: D102
        self.engine.close()


def context_problem(length: int, max_new_tokens: int, context: int | None) -> str | None:
    """Why a prompt leaves no room for the answer in the model's context (``None``: unlimited), if so."""
    if not context or length + max_new_tokens <= context:
        return None
    return (
        f"takes {length} tokens and the answer up to {max_new_tokens}, but the model's context holds {context}: "
        "show fewer or smaller frames, shorten the prompt, or lower max_new_tokens"
    )


def model_identity(checkpoint: Checkpoint, placement: Placement, cache: Path | None) -> dict[str, Any]:
    """The part of a recipe that says which weights compute, and in which numbers."""
    return {
        **checkpoint.identity(cache),
        "dtype": placement.dtype,
        "attention": placement.attention,
        "decoding": "greedy",
    }
