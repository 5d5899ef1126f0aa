"""The accounting identity: every clip of a shard has exactly one terminal status."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from resources.annotation.outcome import Status
from resources.errors import ShardError


class AccountingError(ShardError):
    """Rows were lost, doubled or invented; nothing derived from them may be trusted."""

    retryable = True


@dataclass(frozen=True)
class Tally:
    """How the clips of one shard ended: ``rows_in == ok + failed + skipped``."""

    rows_in: int
    ok: int
    failed: int
    skipped: int

    @property
    def failed_share(self) -> float:
        """Failed rows as a share of those that were not skipped, 0 for none."""
        tried = self.ok + self.failed
        return self.failed / tried if tried else 0.0


def account(clip_ids: Iterable[str], rows: Iterable[tuple[str, str]]) -> Tally:
    """Prove that ``rows`` (id, status) are exactly one row for each of ``clip_ids``.

    Raises:
        AccountingError: naming up to five ids that are missing, doubled, unknown or without a valid status.
    """
    expected = Counter(clip_ids)
    rows = list(rows)
    found = Counter(clip_id for clip_id, _ in rows)
    problems = {
        "doubled in the shard": [i for i, n in expected.items() if n > 1],
        "missing": [i for i in expected if i not in found],
        "doubled": [i for i, n in found.items() if n > 1],
        "unknown": [i for i in found if i not in expected],
        "without a terminal status": [i for i, status in rows if status not in set(Status)],
    }
    if faults := "; ".join(
        f"{len(ids)} {what} ({', '.join(ids[:5])})" for what, ids in problems.items() if ids
    ):
        raise AccountingError(f"{len(rows)} rows for {expected.total()} clips: {faults}")
    statuses = Counter(status for _, status in rows)
    return Tally(expected.total(), statuses[Status.OK], statuses[Status.FAILED], statuses[Status.SKIPPED])
