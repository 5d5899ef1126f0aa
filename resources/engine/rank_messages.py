"""What the parts of a split model and the process that started them tell each other."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resources.engine.generation import Generation
    from resources.engine.rows import Row


@dataclass(frozen=True)
class Job:
    """A batch to compute, the same for all ranks."""

    rows: "list[Row]"
    max_new_tokens: int


@dataclass(frozen=True)
class Ready:
    """The model is loaded."""


@dataclass(frozen=True)
class Generated:
    """What the batch came to; all ranks compute the same, the first one sends it."""

    generations: "list[Generation]"


@dataclass(frozen=True)
class Failed:
    """Why a rank cannot go on.

    ``lost_others`` where it noticed that another rank is gone or late; ``computing`` where an unexpected error
    came up while it computed a batch, which may be that batch's fault.
    """

    reason: str
    out_of_memory: bool = False
    lost_others: bool = False
    computing: bool = False


Message = Ready | Generated | Failed
