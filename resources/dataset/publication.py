"""Folders that appear all at once: a reader sees the old version or the new, never a mixture.

On a local disk a version is a folder below ``.versions`` and the published name a symbolic link to it, moved
by one rename. A reader that resolves the link once goes on reading its version; the one before the current
is kept for it. Object stores have neither links nor renames: there a version is written first and a small
``LATEST`` file, naming it, last.
"""

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from upath import UPath

from resources.storage.files import TEMP_PREFIX, is_local

VERSIONS = ".versions"
LATEST = "LATEST"
_KEPT = 2


class PublicationError(Exception):
    """The published name is taken by something that this did not put there."""


@dataclass(frozen=True)
class Published:
    """Where a version is (``folder`` never changes, ``name`` moves on), and whether it differs from the last."""

    name: UPath
    folder: UPath
    version: str
    changed: bool


class Publication:
    """Builds one version of the folder ``name`` in ``built`` and publishes it at the end.

    Args:
        parent: folder that holds the published name.
        name: what readers open.
    """

    def __init__(self, parent: UPath, name: str, built: Path) -> None:
        self._parent, self._name = parent, name
        self.built = built

    def publish(self, version: str) -> Published:
        """Make ``built`` the current version. A version that is there already is left as it is.

        Raises:
            PublicationError: the name is a file or a real folder.
        """
        if is_local(self._parent):
            return self._publish_locally(version)
        return self._upload(version)

    def _publish_locally(self, version: str) -> Published:
        name = Path(self._parent.path) / self._name
        versions = name.parent / VERSIONS / self._name
        folder = versions / version
        if name.exists() and not name.is_symlink():
            raise PublicationError(f"{name} was not put there by vidcap; move it away and publish again")
        changed = not (name.is_symlink() and name.resolve() == folder.resolve())
        if not folder.exists():
            _sync_tree(self.built)
            os.replace(self.built, folder)
        os.utime(folder)
        if changed:
            link = versions / f"{TEMP_PREFIX}{uuid.uuid4().hex}"
            os.symlink(os.path.relpath(folder, name.parent), link)
            os.replace(link, name)
            _sync(name.parent)
        _forget_old(versions, keep=folder)
        return Published(UPath(name), UPath(folder), version, changed)

    def _upload(self, version: str) -> Published:
        name = self._parent / self._name
        folder, latest = name / version, name / LATEST
        changed = not latest.exists() or latest.read_text() != version
        if changed:
            for file in sorted(path for path in self.built.rglob("*") if path.is_file()):
                target = folder / file.relative_to(self.built).as_posix()
                target.parent.mkdir(parents=True, exist_ok=True)
                with open(file, "rb") as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
            latest.write_text(version)
        return Published(name, folder, version, changed)


@contextmanager
def publication(parent: UPath, name: str) -> Iterator[Publication]:
    """A place to build the next version in; what is not published is removed. One process at a time."""
    if not is_local(parent):
        with tempfile.TemporaryDirectory(prefix="vidcap-") as folder:
            yield Publication(parent, name, Path(folder))
        return
    versions = Path(parent.path) / VERSIONS / name
    versions.mkdir(parents=True, exist_ok=True)
    with FileLock(versions / "lock"):
        for leftover in versions.glob(f"{TEMP_PREFIX}*"):
            _remove(leftover)
        built = versions / f"{TEMP_PREFIX}{uuid.uuid4().hex}"
        built.mkdir()
        try:
            yield Publication(parent, name, built)
        finally:
            _remove(built)


def tree_version(folder: Path) -> str:
    """16 hex digits over the names and contents of all files below a folder."""
    digest = hashlib.sha256()
    for name, file_digest in sorted(file_digests(folder).items()):
        digest.update(f"{name}\0{file_digest}\n".encode())
    return digest.hexdigest()[:16]


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder, by its relative path."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with open(path, "rb") as file:
                digests[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _forget_old(versions: Path, keep: Path) -> None:
    folders = [path for path in versions.iterdir() if path.is_dir() and not path.name.startswith(TEMP_PREFIX)]
    newest = sorted(folders, key=lambda path: (path == keep, path.stat().st_mtime_ns), reverse=True)
    for folder in newest[_KEPT:]:
        shutil.rmtree(folder)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync_tree(folder: Path) -> None:
    for where, _, files in os.walk(folder):
        for file in files:
            _sync(Path(where, file))
        _sync(Path(where))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
