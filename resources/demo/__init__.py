"""The demo world: clips with ground truth, and the tiny checkpoints that were trained on it."""
