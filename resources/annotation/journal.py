"""The journal: outcomes of one shard × annotator × recipe, each batch durable before the next one starts.

Outcomes are JSON lines. On a local disk each writer has a part of its own, begun atomically, to which its batches
are added; object stores have no append, so there every batch is a part. A line that a kill cut short has no newline
and is ignored. Parts live only until the shard's outcomes are checkpointed into the lake.
"""

import re
import uuid
from collections.abc import Sequence

import pyarrow as pa
from upath import UPath

from resources.annotation.outcome import Outcome
from resources.annotation.outcome_table import lines_to_table, outcomes_to_lines
from resources.storage.files import (
    DamagedFileError,
    append_durable,
    is_local,
    remove_stale_temps,
    write_atomic,
)

_PART = re.compile(r"\d{8}-[0-9a-f]{8}\.jsonl")
_MANY_PARTS = 128


class Journal:
    """Appends batches of outcomes to ``folder`` and reads them back, the newest row of a clip winning."""

    def __init__(self, folder: UPath) -> None:
        self.folder = folder
        remove_stale_temps(folder)
        parts = self._parts()
        self._next = 1 + max((int(part.name[:8]) for part in parts), default=0)
        self._count = len(parts)
        self._mine: UPath | None = None

    def append(self, outcomes: Sequence[Outcome]) -> None:
        """Make a batch durable; it survives a kill from the moment this returns."""
        lines = outcomes_to_lines(outcomes)
        mine, self._mine = self._mine, None  # a part that could not be added to is not tried again
        if mine is not None and is_local(mine):
            append_durable(mine, lines)
        else:
            if self._count >= _MANY_PARTS:
                self._compact()
            mine = self._write(lines)
        self._mine = mine

    def read(self) -> pa.Table:
        """All journaled outcomes, one row a clip (the last one written), in the order of writing.

        Raises:
            DamagedFileError: a line that was written whole is damaged.
        """
        try:
            table = lines_to_table(self._lines())
        except pa.ArrowInvalid as error:
            sentence = f"the journal {self.folder} is damaged ({error}); remove that line"
            raise DamagedFileError(sentence) from error
        last = {clip_id: row for row, clip_id in enumerate(table["id"].to_pylist())}
        return table if len(last) == table.num_rows else table.take(sorted(last.values()))

    def clear(self) -> None:
        """Forget everything; call it only once the lake holds these outcomes."""
        for part in self._parts():
            part.unlink()
        self._count = 0
        self._mine = None

    def _parts(self) -> list[UPath]:
        """In the order of writing, which their names begin with."""
        parts = [path for path in self.folder.glob("*.jsonl") if _PART.fullmatch(path.name)]
        return sorted(parts, key=lambda part: part.name)

    def _lines(self) -> bytes:
        return b"".join(whole_lines(part.read_bytes()) for part in self._parts())

    def _write(self, lines: bytes) -> UPath:
        part = self.folder / f"{self._next:08d}-{uuid.uuid4().hex[:8]}.jsonl"
        write_atomic(part, lines)
        self._next += 1
        self._count += 1
        return part

    def _compact(self) -> None:
        parts = self._parts()
        # A kill between the write and the last unlink leaves rows twice; the later part wins on reading.
        self._write(self._lines())
        for part in parts:
            part.unlink()
        self._count = 1


def whole_lines(part: bytes) -> bytes:
    """Without the half line, or the zeros of blocks never written, that a kill or power cut left at the end."""
    written, _, _ = part.partition(b"\0")
    return written[: written.rfind(b"\n") + 1]
