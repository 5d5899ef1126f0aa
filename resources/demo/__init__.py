"""The demo world: its clips, which ``tools/demo_world`` drew, and the tiny checkpoints that were trained on it."""

from pathlib import Path

CLIPS = Path(__file__).parent / "clips"
"""Forty clips and images, a file that was cut off, and a text that is called .mp4."""
