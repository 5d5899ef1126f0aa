"""Which batch jobs are out: one small durable file each, until it is collected."""

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from upath import UPath

from resources.storage.files import write_atomic


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A batch job: the uploaded file, the clips in it by custom id, and the server's id once it is known.

    ``token`` goes along as metadata of the job, so that a job whose id was lost can be found again.
    """

    file_id: str
    custom_ids: Sequence[str]
    batch_id: str | None = None
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    created_at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class JobRecords:
    """The records of one recipe in a folder, local or on an object store."""

    folder: UPath

    def all(self) -> list[JobRecord]:
        """Every job that was not collected yet, the oldest first."""
        if not self.folder.exists():
            return []
        records = [
            JobRecord(**json.loads(path.read_text()))
            for path in self.folder.iterdir()
            if path.name.endswith(".json") and not path.name.startswith(".")
        ]
        return sorted(records, key=lambda record: (record.created_at, record.token))

    def save(self, record: JobRecord) -> None:
        """Remember a job; it survives a kill from the moment this returns."""
        write_atomic(self._path(record), json.dumps(asdict(record)).encode())

    def forget(self, record: JobRecord) -> None:
        """Drop a job whose answers are safe, or which the server never ran."""
        self._path(record).unlink(missing_ok=True)

    def _path(self, record: JobRecord) -> UPath:
        return self.folder / f"{record.token}.json"
