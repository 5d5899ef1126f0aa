"""What an annotator says of one clip: a value, or why there is none."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from resources.errors import VidcapError


class Status(StrEnum):
    """Every row of every shard ends in exactly one of these."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


class Redo(StrEnum):
    """Which recorded outcomes of this recipe are done again."""

    NOTHING = "nothing"
    FAILED = "failed"
    ALL = "all"


class ErrorKind(StrEnum):
    """The closed set of reasons why a clip has no value."""

    MISSING_FILE = "missing_file"
    DECODE_ERROR = "decode_error"
    DECODE_TIMEOUT = "decode_timeout"
    DECODE_CRASH = "decode_crash"
    NO_VIDEO_STREAM = "no_video_stream"
    EMPTY_OUTPUT = "empty_output"
    OUT_OF_MEMORY = "out_of_memory"
    REFUSED = "refused"
    INVALID_ANSWER = "invalid_answer"
    CONTRADICTION = "contradiction"
    RATE_LIMITED = "rate_limited"
    API_ERROR = "api_error"
    BUDGET = "budget"
    INTERNAL = "internal"

    @property
    def is_final(self) -> bool:
        """Is the answer the same however often this content meets this recipe?"""
        return self in _FINAL

    @property
    def fails_shard(self) -> bool:
        """Does the shard count as unfinished while a row of it failed like this?"""
        return not self.is_final and self is not ErrorKind.MISSING_FILE


_FINAL = frozenset(
    {
        ErrorKind.DECODE_ERROR,
        ErrorKind.DECODE_TIMEOUT,
        ErrorKind.DECODE_CRASH,
        ErrorKind.NO_VIDEO_STREAM,
        ErrorKind.EMPTY_OUTPUT,
        ErrorKind.REFUSED,
        ErrorKind.INVALID_ANSWER,
        ErrorKind.CONTRADICTION,
    }
)


class ClipError(Exception):
    """One clip failed, for a known reason; the other clips of its batch are not concerned."""

    answer: "Answer | None" = None

    def __init__(self, kind: ErrorKind, message: str) -> None:
        # Both as positional args, so that the exception survives pickling between processes.
        super().__init__(kind, message)
        self.kind = kind
        self.message = message

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


def undecodable(sentence: str) -> ClipError:
    """The file is there, and its content is to blame."""
    return ClipError(ErrorKind.DECODE_ERROR, sentence)


class AnsweredError(ClipError):
    """A clip that failed although there was an answer for it, which took time and tokens, and may have cost money.

    ``spent`` are the fields of :class:`Answer` after its value.
    """

    def __init__(self, kind: ErrorKind, message: str, *spent: Any, **more: Any) -> None:
        super().__init__(kind, message)
        self.answer = Answer("", *spent, **more)


class AnnotatorError(VidcapError):
    """The annotator itself is unusable (bad key, dead device, missing weights): stop, blame no clip.

    ``retryable`` says whether a fresh process might do better (a dead device) or not (a wrong key).
    """

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class SetupError(AnnotatorError):
    """The annotator is set up wrongly (a wrong key, missing weights): another attempt would do no better."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful annotation of one clip.

    ``value`` is the text that lands in the table (a caption, ``pan_left+zoom_in``, a JSON list of tags).
    ``details`` holds whatever else is worth keeping, as JSON-able data (frame indices, raw model output).
    ``seconds`` is this clip's share of the model's time.
    """

    value: str
    finish_reason: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    seconds: float | None = None
    cost_usd: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer or a failure, with everything that says where it came from.

    ``input_key`` identifies what the annotator read (the content of the file, the text of the caption):
    an outcome is current only while recipe and input are.
    """

    id: str
    status: Status
    input_key: str | None = None
    value: str | None = None
    error_kind: ErrorKind | None = None
    error: str | None = None
    finish_reason: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    seconds: float | None = None
    cost_usd: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
    attempt: int = 1
    run_id: str = ""
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
