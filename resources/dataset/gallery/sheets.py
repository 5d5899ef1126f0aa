"""Contact sheets: a few frames of a clip side by side, made once for each content."""

import io
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from upath import UPath

from resources.annotation.clip import Clip
from resources.annotation.outcome import ClipError
from resources.storage.files import write_atomic

if TYPE_CHECKING:
    from resources.video import FrameReader

FRAMES = 4
MAX_SIDE = 240
_GAP = 4
_QUALITY = 60


def sheet_name(content_id: str) -> str:
    """Where the sheet of a content lies below the folder of sheets."""
    return f"{content_id[:2]}/{content_id}.webp"


def make_sheets(
    clips: Iterable[Clip],
    folder: UPath,
    frames: "FrameReader",
    workers: int,
    log: Callable[[str], None] = print,
) -> dict[str, str]:
    """Make the sheets that are not there yet; returns why not for each content that has none.

    As many clips are in memory as there are ``workers``. A content that cannot be decoded is remembered
    beside the sheets and not tried again; one whose file is missing is.
    """
    unique = {clip.content_id: clip for clip in clips if clip.content_id}
    there = {f"{file.parent.name}/{file.name}" for file in folder.glob("*/*")} if folder.exists() else set()
    failed = {
        content: (folder / f"{sheet_name(content)}.failed").read_text()
        for content in unique
        if f"{sheet_name(content)}.failed" in there
    }
    todo = [unique[one] for one in unique if one not in failed and sheet_name(one) not in there]
    log(f"{len(todo)} contact sheets to make, {len(unique) - len(todo)} were there")
    done = 0
    with ThreadPoolExecutor(workers) as pool:
        for clip, reason in zip(todo, pool.map(lambda one: _make(one, folder, frames), todo), strict=True):
            done += 1
            if reason:
                failed[clip.content_id or ""] = reason
            if done % 500 == 0:
                log(f"{done}/{len(todo)} contact sheets")
    return failed


def contact_sheet(images: np.ndarray) -> bytes:
    """Frames side by side as WebP. ``images``: (T, H, W, 3) uint8 RGB; fewer than 4 leave the rest empty."""
    from PIL import Image

    count, height, width, _ = images.shape
    sheet = Image.new("RGB", (FRAMES * width + (FRAMES - 1) * _GAP, height), (17, 19, 23))
    for place in range(count):
        sheet.paste(Image.fromarray(images[place]), (place * (width + _GAP), 0))
    if count == 1:  # an image fills its own picture
        sheet = sheet.crop((0, 0, width, height))
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=_QUALITY, method=2)
    return buffer.getvalue()


def _make(clip: Clip, folder: UPath, frames: "FrameReader") -> str:
    from resources.video import FrameRule, RuleKind

    file = folder / sheet_name(clip.content_id or "")
    rule = FrameRule(RuleKind.LINSPACE, FRAMES).within(clip.span)
    try:
        taken = frames.read(clip.path, clip.kind, rule, max_side=MAX_SIDE)
    except ClipError as error:
        if error.kind.is_final:
            write_atomic(file.with_name(f"{file.name}.failed"), str(error).encode())
        return str(error)
    write_atomic(file, contact_sheet(taken.images))
    return ""
