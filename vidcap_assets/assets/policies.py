"""How steps are retried and how many shards one model load serves."""

import dagster as dg

from vidcap_assets.collection import environment

# A killed or failed step resumes from the journal, so trying again costs only what was in flight.
RETRY = dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)

SHARDS_PER_RUN = environment.shards_per_run()
SEVERAL_SHARDS = dg.BackfillPolicy.multi_run(max_partitions_per_run=SHARDS_PER_RUN)

GPU_POOL = "gpu"
OPENAI_POOL = "openai"
DUCKDB_POOL = "duckdb"
