"""What of a recipe is done again."""

from enum import StrEnum


class Redo(StrEnum):
    """Which recorded outcomes of this recipe are done again."""

    NOTHING = "nothing"
    FAILED = "failed"
    ALL = "all"
