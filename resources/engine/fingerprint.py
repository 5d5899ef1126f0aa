"""The identity of weight files: their SHA-256, remembered while size and modification time stay the same."""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from resources.annotation.outcome import AnnotatorError

if TYPE_CHECKING:
    from resources.lake.lake import Lake

_log = logging.getLogger(__name__)


def default_cache() -> Path:
    """``$VIDCAP_CACHE``, else ``~/.cache/vidcap``."""
    return Path(os.environ.get("VIDCAP_CACHE") or Path.home() / ".cache" / "vidcap")


def fingerprint_folder(folder: Path, patterns: Sequence[str], cache: Path | None = None) -> str:
    """SHA-256 over the names and contents of the files directly in ``folder`` that match ``patterns``.

    Hashes are remembered in ``cache`` by path, size and modification time, so that a finished shard does
    not read gigabytes of weights again.

    Raises:
        AnnotatorError: no file matches.
    """
    files = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    if not files:
        raise AnnotatorError(
            f"the folder '{folder}' holds no model files ({', '.join(patterns)})", retryable=False
        )
    memory = (
        (cache or default_cache()) / "fingerprints" / f"{_sha256(str(folder.resolve()).encode())[:32]}.json"
    )
    known = _recall(memory)
    current = {path.name: _entry(path, known.get(path.name)) for path in files}
    if current != known:
        _remember(memory, current)
    lines = [f"{name} {entry['sha256']}" for name, entry in sorted(current.items())]
    return _sha256("\n".join(lines).encode())


def _entry(path: Path, known: dict[str, str | int] | None) -> dict[str, str | int]:
    stat = path.stat()
    if known and (known["size"], known["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns):
        return known
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256_of_file(path)}


def sha256_of_file(path: Path) -> str:
    """The hex digest of a file's content, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _recall(memory: Path) -> dict[str, dict[str, str | int]]:
    try:
        return json.loads(memory.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _log.warning("fingerprint cache %s is unreadable and is built anew: %s", memory, error)
        return {}


def _remember(memory: Path, entries: dict[str, dict[str, str | int]]) -> None:
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=memory.parent, delete=False) as file:
            json.dump(entries, file)
        os.replace(file.name, memory)
    except OSError as error:
        _log.warning("fingerprints are not remembered in %s: %s", memory, error)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def model_cache(lake: "Lake") -> Path:
    """Where fingerprints of weight files are remembered for this lake."""
    return lake.local("cache") or default_cache()
