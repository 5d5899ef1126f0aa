"""The demo world: its clips, which ``tools/demo_world`` drew, and the tiny checkpoints that were trained on it."""
