"""``vidcap``: the jobs, what came of them and what is wrong, from a terminal."""

from vidcap_assets.cli.app import app

__all__ = ["app"]
