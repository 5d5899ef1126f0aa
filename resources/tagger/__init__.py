"""Tags: the objects and actions that a caption speaks of, read out by a chat language model."""
