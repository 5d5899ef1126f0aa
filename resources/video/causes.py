"""Why a file is no video although it is called one, told from its first bytes."""

import os
from collections.abc import Iterator
from pathlib import Path

HEAD_BYTES = 4096
_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"styp", b"sidx", b"uuid"})
_BEGINNINGS = {
    b"<!doctype html": "a web page, not a video: the download failed",
    b"<html": "a web page, not a video: the download failed",
    b"<?xml": "an XML document, not a video: the download failed",
    b"version https://git-lfs": "a Git LFS pointer, not the video itself: run git lfs pull",
    b"pk\3\4": "a zip archive, not a video",
    b"%pdf": "a PDF document, not a video",
    b"\x1f\x8b": "a gzip archive, not a video",
}


def why_unreadable(path: Path) -> str | None:
    """One sentence, or ``None`` where the bytes do not tell."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head.strip(b"\0"):
        return "the file begins with nothing but zeros: it was not written to its end"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].lower()
    for beginning, cause in _BEGINNINGS.items():
        if start.startswith(beginning):
            return cause
    if head[4:8] in _BOXES:
        kinds = {kind for kind, _, _ in top_boxes(path)}
        if not kinds & {b"moov", b"moof"}:
            return "the index (moov) is missing: the file was cut short"
    return None


def top_boxes(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Kind, place and length in bytes of the top-level boxes of an mp4 file (ISO/IEC 14496-12, 4.2)."""
    size = os.path.getsize(path)
    with path.open("rb") as file:
        place = 0
        while place < size and len(head := file.read(16)) >= 8:
            length, kind = int.from_bytes(head[:4]), head[4:8]
            header = 8
            if length == 1:
                length, header = int.from_bytes(head[8:16]), 16
            elif length == 0:
                length = size - place
            if length < header:
                return
            yield kind, place, length
            place += length
            file.seek(place)
