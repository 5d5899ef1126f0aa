"""Where the outcomes of one annotator for one shard are kept: lake file, journal in front of it, and a lock.

The lake file holds one row a clip × recipe, for every recipe this shard was ever annotated with; the rows
of the recipe that counts now are marked ``current``. The journal holds what has not reached that file yet.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter
from upath import UPath

from resources.annotation.journal import Journal
from resources.annotation.outcome import ErrorKind, Status
from resources.annotation.outcome_table import OUTCOME_SCHEMA
from resources.annotation.recipe import Recipe
from resources.annotation.tables import ANNOTATION, arrow
from resources.errors import ShardError
from resources.storage.files import locked, read_table, remove_stale_temps, write_table

ANNOTATION_SCHEMA = arrow(ANNOTATION)


class ShardBusyError(ShardError):
    """Another process is annotating the same shard with the same annotator."""

    retryable = True


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is already recorded of a clip for one recipe."""

    id: str
    input_key: str | None
    status: Status
    error_kind: ErrorKind | None
    error: str | None
    attempt: int
    run_id: str


class ShardStore:
    """The outcomes of one annotator for one shard.

    Args:
        file: the lake file, Parquet of :data:`ANNOTATION_SCHEMA`.
        journals: folder below which each recipe has its journal.
    """

    def __init__(self, file: UPath, journals: UPath, *, shard: str, recipe: Recipe) -> None:
        self.file = file
        self.shard = shard
        self.recipe = recipe
        self._journals = journals

    @contextmanager
    def locked(self, timeout_s: float = 0) -> Iterator[Journal]:
        """Hold this shard × annotator and open its journal. The lock goes with the process, however it dies.

        Object stores have no locks: there, two runs of one shard waste work but cannot corrupt it.

        Raises:
            ShardBusyError: another process held it for ``timeout_s`` seconds.
        """
        sentence = f"{self.recipe.annotator} of {self.shard} is being annotated by another process"
        with locked(self._journals, timeout_s, ShardBusyError, sentence):
            remove_stale_temps(self.file.parent, self.file.name)
            yield Journal(self._journals / self.recipe.fingerprint)

    def outcomes(self, journal: Journal) -> pa.Table:
        """This recipe's outcomes so far, one row a clip; the journal's are newer than the lake's."""
        fresh = journal.read()
        stored = self._stored()
        mine = stored.filter(pc.equal(stored["fingerprint"], self.recipe.fingerprint))
        kept = mine.filter(pc.invert(pc.is_in(mine["id"], fresh["id"]))).select(OUTCOME_SCHEMA.names)
        return pa.concat_tables([kept.cast(OUTCOME_SCHEMA), fresh])

    def checkpoint(self, outcomes: pa.Table, journal: Journal) -> None:
        """Write this recipe's rows as the current ones, keep those of older recipes, then clear the journals.

        The rows of clips that are gone are kept too, not as current ones, until the clips are back.
        What an older recipe had journaled before it was abandoned half-way goes into the lake too. Nothing
        is written where nothing changed.
        """
        stored = self._stored()
        folders = (
            sorted(self._journals.iterdir(), key=lambda path: path.name) if self._journals.exists() else []
        )
        abandoned = {
            folder.name: Journal(folder) for folder in folders if folder.is_dir() and folder != journal.folder
        }
        mine = self._rows(self.outcomes(journal), self.recipe.fingerprint, current=False)
        away = mine.filter(pc.invert(pc.is_in(mine["id"], outcomes["id"])))
        others = stored.filter(pc.not_equal(stored["fingerprint"], self.recipe.fingerprint))
        older = pa.concat_tables([others, away])
        for fingerprint, left in abandoned.items():
            rows = self._rows(left.read(), fingerprint, current=False)
            replaced = pc.and_(pc.equal(older["fingerprint"], fingerprint), pc.is_in(older["id"], rows["id"]))
            older = pa.concat_tables([older.filter(pc.invert(replaced)), rows])
        older = older.drop_columns("current").append_column("current", pa.repeat(False, older.num_rows))
        table = pa.concat_tables([older, self._rows(outcomes, self.recipe.fingerprint, current=True)])
        if not (self.file.exists() and table.equals(stored)):
            write_table(self.file, table)
        for done in (journal, *abandoned.values()):
            done.clear()

    def _rows(self, outcomes: pa.Table, fingerprint: str, *, current: bool) -> pa.Table:
        count = outcomes.num_rows
        constant = {
            "shard": pa.repeat(self.shard, count),
            "annotator": pa.repeat(self.recipe.annotator, count),
            "fingerprint": pa.repeat(fingerprint, count),
            "current": pa.repeat(current, count),
        }
        columns = [constant[name] if name in constant else outcomes[name] for name in ANNOTATION_SCHEMA.names]
        return pa.table(columns, schema=ANNOTATION_SCHEMA)

    def _stored(self) -> pa.Table:
        return read_table(self.file) if self.file.exists() else ANNOTATION_SCHEMA.empty_table()


def recorded_outcomes(outcomes: pa.Table) -> dict[str, Recorded]:
    """The recorded state of each clip, from a table of :data:`OUTCOME_SCHEMA`."""
    rows = outcomes.select([one.name for one in fields(Recorded)]).to_pylist()
    return {one.id: one for one in TypeAdapter(list[Recorded]).validate_python(rows)}
