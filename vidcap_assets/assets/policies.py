"""How steps are retried, and the pools that they share."""

import dagster as dg

# A killed or failed step resumes from the journal, so trying again costs only what was in flight.
RETRY = dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)

GPU_POOL = "gpu"
OPENAI_POOL = "openai"
DUCKDB_POOL = "duckdb"
