"""How steps are retried, and the pools that they share."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from resources.errors import VidcapError

# A killed or failed step resumes from the journal, so trying again costs only what was in flight.
RETRY = dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)

DUCKDB_POOL = "duckdb"


def failed(context: dg.AssetExecutionContext, sentence: str, *, may_come_right: bool = True) -> dg.Failure:
    """The failure of a step. The last attempt asks for no further one: else Dagster's headline hides the sentence."""
    return dg.Failure(sentence, allow_retries=may_come_right and context.retry_number < RETRY.max_retries)


@contextmanager
def told(context: dg.AssetExecutionContext, who: str = "") -> Iterator[None]:
    """Let what a person can act on, or the disk refuses, fail the step in one sentence, behind ``who``."""
    try:
        yield
    except VidcapError as error:
        raise failed(context, f"{who}{error}", may_come_right=error.retryable) from error
    except OSError as error:
        if error.filename is None:
            raise
        gone = isinstance(error, FileNotFoundError)
        raise failed(context, f"{error.filename}: {error.strerror}", may_come_right=not gone) from error
