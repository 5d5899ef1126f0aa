"""Tar shards for WebDataset, with the index that names them."""

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa


class TarShards:
    """``shard-000000.tar`` …: for each clip ``<id>.json`` and ``<id>.txt``, with media also the file itself.

    ``index.json`` lists the tars as the wids reader takes them. The same rows give the same bytes: no
    times, owners or modes of the machine go into the tars.

    Args:
        samples_per_tar: clips of all tars but the last.
        media: copy the videos and images into the tars. A file that is gone raises FileNotFoundError.
        index: where the index goes; by default ``index.json`` among the tars.
    """

    def __init__(self, folder: Path, samples_per_tar: int, *, media: bool, index: Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._index = index or folder / "index.json"
        self._folder, self._samples_per_tar, self._media = folder, samples_per_tar, media
        self._tar: tarfile.TarFile | None = None
        self._counts: list[int] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows as `tables.samples` gives them; all columns go into the JSON."""
        self.add(batch.to_pylist())

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append rows with at least ``id``, ``path`` and ``text``."""
        for row in rows:
            if self._tar is None or self._counts[-1] == self._samples_per_tar:
                self._open_next()
            self._counts[-1] += 1
            key = sample_key(row["id"])
            self._add(
                f"{key}.json", json.dumps(row, ensure_ascii=False, sort_keys=True, default=str).encode()
            )
            self._add(f"{key}.txt", row["text"].encode())
            if self._media:
                suffix = PurePosixPath(row["path"]).suffix.lower() or ".bin"
                self._add_file(f"{key}{suffix}", Path(row["path"]))

    def close(self) -> None:
        """Close the last tar and write the index."""
        if self._tar is not None:
            self._tar.close()
        shards = [
            {"url": name, "nsamples": count, "filesize": (self._folder / name).stat().st_size}
            for name, count in zip(map(_tar_name, range(len(self._counts))), self._counts, strict=True)
        ]
        index = {
            "__kind__": "wids-shard-index-v1",
            "wids_version": 1,
            "name": "vidcap",
            "shardlist": shards,
        }
        self._index.write_text(json.dumps(index, indent=1))

    def _open_next(self) -> None:
        if self._tar is not None:
            self._tar.close()
        name = _tar_name(len(self._counts))
        self._tar = tarfile.open(self._folder / name, "w", format=tarfile.GNU_FORMAT)  # noqa: SIM115
        self._counts.append(0)

    def _add(self, name: str, content: bytes) -> None:
        assert self._tar is not None
        member = tarfile.TarInfo(name)
        member.size = len(content)
        self._tar.addfile(member, io.BytesIO(content))

    def _add_file(self, name: str, path: Path) -> None:
        assert self._tar is not None
        with open(path, "rb") as file:
            member = tarfile.TarInfo(name)
            member.size = path.stat().st_size
            self._tar.addfile(member, file)


def sample_key(clip_id: str) -> str:
    """A clip's id as a WebDataset key: there a dot ends the key and a slash starts a folder.

    Ids from lists may hold both; each such character becomes ``%xx`` as in a URL, so keys stay unique.
    """
    return "".join(char if char.isalnum() or char in "-_" else _escaped(char) for char in clip_id)


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())


def _tar_name(number: int) -> str:
    return f"shard-{number:06d}.tar"
