"""What Dagster sees: assets, checks, jobs, resources. No computation."""
