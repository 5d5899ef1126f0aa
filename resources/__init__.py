"""What the assets run on; every module is usable from plain Python, without a Dagster run."""
