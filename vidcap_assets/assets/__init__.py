"""The assets of a collection, and how a step goes over its shards."""
