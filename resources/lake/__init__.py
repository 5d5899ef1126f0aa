"""The truth of the platform: which clip is in which shard, and every answer, as Parquet files."""
