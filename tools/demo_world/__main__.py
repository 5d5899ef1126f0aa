"""Draw the demo clips of the package anew: ``python -m tools.demo_world``."""

from resources.demo.source import CLIPS
from tools.demo_world.clips import TRUTH_FILE, render_demo_source

render_demo_source(CLIPS)
(CLIPS / TRUTH_FILE).unlink()
