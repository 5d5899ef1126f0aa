"""Tar shards for WebDataset, with the index that names them."""

import io
import json
import re
import tarfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pyarrow as pa


class TarShards:
    """``shard-000000.tar`` …: for each clip ``<id>.json`` and ``<id>.txt``, with media also the file itself.

    ``<folder>-index.json``, beside the folder, lists the tars as the wids reader takes them; in the folder, Hugging
    Face's reader would take it for the data. The same rows give the same bytes: no times or owners.

    Args:
        samples_per_tar: clips of all tars but the last.
        media: copy the videos and images into the tars. A file that is gone raises FileNotFoundError.
    """

    def __init__(self, folder: Path, samples_per_tar: int, *, media: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
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
                self._close_tar()
                self._counts.append(0)
                self._tar = tarfile.open(self._file(len(self._counts) - 1), "w", format=tarfile.GNU_FORMAT)  # noqa: SIM115
            self._counts[-1] += 1
            key = sample_key(row["id"])
            said = json.dumps(row, ensure_ascii=False, sort_keys=True, default=str)
            self._add(self._tar, f"{key}.json", io.BytesIO(said.encode()))
            self._add(self._tar, f"{key}.txt", io.BytesIO(row["text"].encode()))
            if self._media:
                suffix = PurePosixPath(row["path"]).suffix.lower() or ".bin"
                with open(row["path"], "rb") as file:
                    self._add(self._tar, f"{key}{suffix}", file)

    def close(self) -> None:
        """Close the last tar and write the index."""
        self._close_tar()
        shards = [
            {"url": f"{file.parent.name}/{file.name}", "nsamples": count, "filesize": file.stat().st_size}
            for number, count in enumerate(self._counts)
            for file in [self._file(number)]
        ]
        index = {
            "__kind__": "wids-shard-index-v1",
            "wids_version": 1,
            "name": "vidcap",
            "shardlist": shards,
        }
        self._folder.with_name(f"{self._folder.name}-index.json").write_text(json.dumps(index, indent=1))

    def _file(self, number: int) -> Path:
        return self._folder / f"shard-{number:06d}.tar"

    def _close_tar(self) -> None:
        if self._tar is not None:
            self._tar.close()

    def _add(self, tar: tarfile.TarFile, name: str, file: IO[bytes]) -> None:
        member = tarfile.TarInfo(name)
        member.size = file.seek(0, io.SEEK_END)
        file.seek(0)
        tar.addfile(member, file)


def sample_key(clip_id: str) -> str:
    """A clip's id as a WebDataset key: there a dot ends the key and a slash starts a folder.

    Ids from lists may hold both; each such character becomes ``%xx`` as in a URL, so keys stay unique.
    """
    return re.sub(r"[^\w-]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), clip_id)
