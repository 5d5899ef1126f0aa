"""A collection: one file that says everything about it, and the names and shards that follow from it."""
