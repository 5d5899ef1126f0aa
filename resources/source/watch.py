"""Has the source changed? Told from the names, sizes and times of its files, without reading any of them."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from pydantic import TypeAdapter

from resources.source.source import Entry


@dataclass(frozen=True)
class Listing:
    """The state of a source; ``digest`` changes when a file is added, removed, renamed or written to."""

    digest: str = ""
    files: int = 0

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        """Look at every file once."""
        digest = hashlib.blake2b(digest_size=16)
        files = 0
        for entry in entries:
            files += 1
            digest.update(
                f"{entry.path}\0{entry.id}\0{entry.text}\0{entry.extra or ''}{_state(entry)}\n".encode(
                    errors="surrogatepass"
                )
            )
        return cls(digest.hexdigest(), files)


@dataclass(frozen=True)
class Watch:
    """What is remembered between two looks at a source.

    ``indexed`` is the state that was last handed to indexing, ``seen`` the one of the last look; ``since`` is
    when a difference between the two was first noticed, in seconds since 1970.
    """

    indexed: Listing = Listing()
    seen: Listing = Listing()
    since: float | None = None

    def to_json(self) -> str:
        """The inverse of :meth:`from_json`."""
        return TypeAdapter(Watch).dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str | None) -> Self:
        """What was remembered; nothing where ``text`` is empty."""
        return TypeAdapter(cls).validate_json(text) if text else cls()


@dataclass(frozen=True)
class Look:
    """What a look at the source says: index now, or why not, and what to remember."""

    index_now: bool
    reason: str
    watch: Watch


def look(watch: Watch, now: Listing, time_s: float, patience_s: float) -> Look:
    """Index a changed source once it holds still from one look to the next, or after ``patience_s`` at the latest.

    So files that are still being copied are not indexed early, and clips that arrive one by one
    share a shard instead of getting one each.
    """
    if now == watch.indexed:
        return Look(False, f"nothing new among {now.files} files", Watch(now, now))
    since = time_s if watch.since is None else watch.since
    more = f"{now.files - watch.indexed.files:+d} files since it was last indexed"
    if now == watch.seen or time_s - since >= patience_s:
        return Look(True, f"the source has changed: {more}", Watch(now, now))
    left = max(0, round(patience_s - (time_s - since)))
    reason = f"the source is changing ({more}); indexing when it holds still, in {left} s at the latest"
    return Look(False, reason, Watch(watch.indexed, now, since))


def _state(entry: Entry) -> tuple[int, int, int] | None:
    try:
        status = os.stat(entry.path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
