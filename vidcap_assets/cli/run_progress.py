"""How far a run is: what its steps append to their progress file, read as it grows."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from resources.annotation.progress import ShardProgress


@dataclass
class RunProgress:
    """The latest record of each annotator and shard. ``file`` is where the steps append theirs."""

    file: Path
    shards: dict[str, dict[str, ShardProgress]] = field(default_factory=dict)
    _read: int = 0

    def refresh(self) -> list[ShardProgress]:
        """Take in the lines that are complete since the last time; what is new."""
        if not self.file.exists():
            return []
        with open(self.file, "rb") as lines:
            lines.seek(self._read)
            whole, end, _ = lines.read().rpartition(b"\n")
        self._read += len(whole) + len(end)
        new = [ShardProgress(**json.loads(line)) for line in whole.splitlines()]
        for one in new:
            self.shards.setdefault(one.annotator, {})[one.shard] = one
        return new

    def done(self, annotator: str) -> int:
        """Clips of this run that have their outcome."""
        return sum(one.settled + one.done for one in self.shards.get(annotator, {}).values())

    def failed(self, annotator: str) -> int:
        """Clips that failed in this run."""
        return sum(one.failed for one in self.shards.get(annotator, {}).values())

    def rate(self, annotator: str) -> float:
        """Clips a second in the shard that is under way."""
        return next((one.rate for one in reversed(self.shards.get(annotator, {}).values())), 0.0)
