"""``python -m vidcap_assets.cli``."""

from vidcap_assets.cli import app

app()
