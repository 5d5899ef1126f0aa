"""Errors that a person can act on: commands and steps tell their one sentence, without a traceback."""


class VidcapError(Exception):
    """What is wrong and what to do about it, in one sentence; ``retryable``: later it may go well by itself."""

    retryable = False


class ShardError(VidcapError):
    """What is wrong with one shard; the others go on."""
