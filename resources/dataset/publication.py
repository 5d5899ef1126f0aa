"""Folders that appear all at once: a reader sees the old one or the new one, never a mixture."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from filelock import FileLock
from upath import UPath

from resources.errors import VidcapError
from resources.storage.files import is_local


class PublicationError(VidcapError):
    """The published name is taken by something that this did not put there."""


@contextmanager
def publication(parent: UPath, name: str) -> Iterator[Path]:
    """A folder to fill, which becomes ``parent/name`` where the block ends without an error.

    It is built beside, and the name is a symbolic link to it, because a rename can replace a link but no
    folder. The one before is removed. On an object store, which has no rename, the files are put one by one.
    One process at a time.

    Raises:
        PublicationError: the name is a file or a folder that is no link.
    """
    if not is_local(parent):
        with TemporaryDirectory(prefix="vidcap-") as built:
            yield Path(built)
            (parent / name).fs.put(f"{built}/", (parent / name).path, recursive=True)
        return
    published = Path(parent.path) / name
    versions = published.parent / ".versions" / name
    versions.mkdir(parents=True, exist_ok=True)
    with FileLock(versions / "lock"):
        if published.exists() and not published.is_symlink():
            raise PublicationError(f"{published} was not put there by vidcap; move it away and publish again")
        folder = versions / uuid.uuid4().hex
        folder.mkdir()
        try:
            yield folder
            _sync(folder)
            link = versions / "link"
            link.unlink(missing_ok=True)
            link.symlink_to(os.path.relpath(folder, published.parent))
            os.replace(link, published)
        finally:
            for other in versions.iterdir():
                if other.is_dir() and other != published.resolve():
                    shutil.rmtree(other)


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write ``export.json``: the record, the version of vidcap and the time."""
    made = {"vidcap": version("vidcap"), "created_at": datetime.now(UTC).isoformat(timespec="seconds")}
    (folder / "export.json").write_text(json.dumps({**record, **made}, indent=1, ensure_ascii=False))


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder, by its relative path."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with open(path, "rb") as file:
                digests[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _sync(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
