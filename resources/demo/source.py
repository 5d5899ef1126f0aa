"""Where the demo clips are."""

from pathlib import Path

CLIPS = Path(__file__).parent / "clips"
"""Forty clips and images, a file that was cut off, and a text that is called .mp4."""
