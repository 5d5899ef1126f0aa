"""What the captioners and the tagger have in common: an engine that loads on first use, and its answers."""

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip
from resources.annotation.outcome import (
    AnnotatorError,
    Answer,
    AnsweredError,
    ClipError,
    ErrorKind,
    SetupError,
)
from resources.engine.checkpoint import Checkpoint
from resources.engine.generation import Finish
from resources.engine.placement import Placement
from resources.words.judgement import Judgement, judge, shortened

if TYPE_CHECKING:
    from resources.engine.engine import Engine
    from resources.engine.generation import Generation
    from resources.engine.model_spec import ModelSpec
    from resources.engine.rows import Row

T = TypeVar("T")


class Once(Generic[T]):
    """A value that is made when it is first asked for; other threads that ask meanwhile wait for it.

    Made again for the next who asks where making it failed.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: tuple[T] | None = None

    def __call__(self) -> T:
        """The value."""
        with self._lock:
            if self._made is None:
                self._made = (self._make(),)
            return self._made[0]


_LONGEST_QUOTE = 300


class LazyEngine:
    """One model, loaded by whoever generates first and shared by all who hold this object.

    Args:
        max_new_tokens: where every generation ends at the latest.
    """

    def __init__(self, placement: Placement, max_new_tokens: int) -> None:
        self.placement = placement
        self.max_new_tokens = max_new_tokens
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    def generate(self, spec: "ModelSpec", rows: Sequence["Row"]) -> list["Generation"]:
        """See :meth:`resources.engine.engine.Engine.generate`."""
        with self._lock:
            if self._engine is None:
                from resources.engine.engine import Engine

                self._engine = Engine.start(spec)
            return self._engine.generate(rows, self.max_new_tokens)

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
        self.engine = engine
        self.batch_size = batch_size

    def check(self, clips: Sequence[Clip]) -> None:
        """Refuse a model that cannot be used, before anything is decoded for it.

        Raises:
            AnnotatorError: in one sentence.
        """
        super().check(clips)
        if clips:
            with blaming_the_model(self.checkpoints[0].source):
                for checkpoint in self.checkpoints:
                    checkpoint.check()
                self.model_spec()

    @property
    @abstractmethod
    def checkpoints(self) -> Sequence[Checkpoint]:
        """Where the model's files are, and those of its adapter."""

    @abstractmethod
    def model_spec(self) -> "ModelSpec":
        """How the model is loaded. Called once, when the first batch arrives."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """New tokens to text."""

    def judge(self, written: str, cut_off: bool) -> Judgement:
        """What the words are worth; see :mod:`resources.words.judgement`."""
        return judge(written, cut_off=cut_off)

    def interpret(self, text: str, row: "Row") -> tuple[str, dict[str, Any]]:
        """The answer's value, and more of its details, from words that are one. Default: the text in one line.

        Raises:
            ClipError: it is no answer to this question.
        """
        return text.replace("\n", " ").strip(), {}

    def annotate(self, batch: Sequence["Row"]) -> list[Answer | ClipError]:  # noqa: D102
        generations = self.engine.generate(self.model_spec(), batch)
        return [self.answer(row, generation) for row, generation in zip(batch, generations, strict=True)]

    def answer(self, row: "Row", generation: "Generation") -> Answer | ClipError:
        """What a generation says of its row."""
        judged = self.judge(self.decode(generation.ids), generation.finish is Finish.LENGTH)
        facts = (
            generation.finish.value,
            generation.tokens_in,
            generation.tokens_out,
            generation.seconds,
            None,
        )
        details = {**row.details, **judged.details}
        if not judged.verdict.is_answer:
            return AnsweredError(ErrorKind(judged.verdict), judged.reason, *facts, details)
        try:
            value, more = self.interpret(judged.text, row)
        except ClipError as error:
            return AnsweredError(error.kind, error.message, *facts, details)
        return Answer(value, *facts, details | more)

    def close(self) -> None:  # noqa: D102
        self.engine.close()


@contextmanager
def blaming_the_model(source: str) -> Iterator[None]:
    """Whatever goes wrong inside is the model's fault and no clip's: foreign code reads its files in many ways."""
    from resources.annotation.ladder import is_out_of_memory

    try:
        yield
    except AnnotatorError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        said = shortened(f"{type(error).__name__}: {error}", _LONGEST_QUOTE)
        raise SetupError(f"the model '{source}' cannot be used: {said}") from error


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


# A folder may be renamed, and a hub repository is identified by its commit.
MODEL_LABELS = frozenset({"model"})
