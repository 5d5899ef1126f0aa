"""The environment variables that vidcap reads, in one place."""

import os
from pathlib import Path

DEMO_SOURCE = "demo"


def source() -> str:
    """``VIDCAP_SOURCE``: folder or list to caption; by default the demo clips."""
    return os.environ.get("VIDCAP_SOURCE") or DEMO_SOURCE


def home() -> str:
    """``VIDCAP_HOME``: where everything is kept; by default ``data`` in the current folder."""
    return os.environ.get("VIDCAP_HOME") or str(Path("data").absolute())


def shard_size() -> int:
    """``VIDCAP_SHARD_SIZE``: clips in a new shard; by default 500."""
    return _at_least_one("VIDCAP_SHARD_SIZE", 500)


def shards_per_run() -> int:
    """``VIDCAP_SHARDS_PER_RUN``: shards at most that share a run, and so one loading of a model; by default 8."""
    return _at_least_one("VIDCAP_SHARDS_PER_RUN", 8)


def warehouse() -> str:
    """``VIDCAP_WAREHOUSE``: DuckDB file or ``ducklake:`` URI; by default ``vidcap.duckdb`` in the home."""
    return os.environ.get("VIDCAP_WAREHOUSE") or f"{home()}/vidcap.duckdb"


def owners() -> list[str]:
    """``VIDCAP_OWNERS``: who the UI says the assets belong to (``team:video, me@example.org``); by default nobody."""
    return [owner.strip() for owner in os.environ.get("VIDCAP_OWNERS", "").split(",") if owner.strip()]


def setting(name: str) -> str | None:
    """An optional variable; empty counts as unset."""
    return os.environ.get(name) or None


def definitions() -> str:
    """``VIDCAP_DEFINITIONS``: the module that `vidcap` runs; by default the one of this package."""
    return os.environ.get("VIDCAP_DEFINITIONS") or "vidcap_assets.definitions"


def look_every_s() -> int:
    """``VIDCAP_LOOK_EVERY_S``: seconds between two looks at the source; by default 60."""
    return _at_least_one("VIDCAP_LOOK_EVERY_S", 60)


def _at_least_one(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.strip().isdecimal() or int(text) < 1:
        raise ValueError(f"{name}={text}: must be a whole number of at least 1")
    return int(text)
