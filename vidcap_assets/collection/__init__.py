"""A collection: one file that says everything about it, and the definitions that follow from it."""
