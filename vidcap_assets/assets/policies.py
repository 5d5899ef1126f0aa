"""How steps are retried, and the pools that they share."""

import dagster as dg

# A killed or failed step resumes from the journal, so trying again costs only what was in flight.
RETRY = dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)

GPU_POOL = "gpu"
OPENAI_POOL = "openai"
DUCKDB_POOL = "duckdb"


def failed(context: dg.AssetExecutionContext, sentence: str, *, may_come_right: bool = True) -> dg.Failure:
    """The failure of a step. The last attempt asks for no further one: else Dagster's headline hides the sentence."""
    return dg.Failure(sentence, allow_retries=may_come_right and context.retry_number < RETRY.max_retries)
