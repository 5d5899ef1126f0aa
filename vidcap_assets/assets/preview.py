"""A look at what was said: frames of a few clips of a shard with their answers, as Markdown with pictures in it."""

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

from resources.annotation.clip import Clip
from resources.annotation.outcome import ClipError, Status
from resources.words.markdown import plain

if TYPE_CHECKING:
    import pyarrow as pa

    from resources.video import FrameReader

CLIPS = 4
FRAMES = 4
SHORT_SIDE = 72
# The Markdown is kept in the instance's database with every materialisation.
MAX_BYTES = 32 * 1024


def contact_sheet(clips: Sequence[Clip], outcomes: "pa.Table", frames: "FrameReader") -> str:
    """Markdown of at most :data:`CLIPS` answered clips, spread over the shard: frames in a row, the answer below.

    Reads few small frames, and never more than :data:`MAX_BYTES` of Markdown come of it: a clip whose picture
    does not fit, or cannot be read any more, is shown by its words alone.

    Args:
        clips: the shard's clips.
        outcomes: their outcomes (columns of OUTCOME_SCHEMA).
        frames: reads the frames.
    """
    by_id = {clip.id: clip for clip in clips}
    rows = zip(*(outcomes[name].to_pylist() for name in ("id", "value", "status")), strict=True)
    answered = [(by_id[clip_id], value) for clip_id, value, status in rows if status == Status.OK]
    parts: list[str] = []
    room = MAX_BYTES
    for clip, value in _spread(answered, CLIPS):
        words = f"**{plain(clip.id)}** {plain(value)}"
        part = f"{_picture(clip, frames)}\n\n{words}"
        if len(part.encode()) + 2 > room:
            part = words
        parts.append(part)
        room -= len(part.encode()) + 2
    return "\n\n".join(parts)


def _spread(rows: list[tuple[Clip, str]], count: int) -> list[tuple[Clip, str]]:
    if len(rows) <= count:
        return rows
    return [rows[place * (len(rows) - 1) // (count - 1)] for place in range(count)]


def _picture(clip: Clip, frames: "FrameReader") -> str:
    from resources.dataset.gallery.sheets import contact_sheet as sheet
    from resources.video import FrameRule, RuleKind

    rule = FrameRule(RuleKind.LINSPACE, FRAMES)
    try:
        read = frames.read(clip.path, clip.kind, rule.within(clip.span), short_side=SHORT_SIDE)
    except ClipError as error:
        return f"*no picture: {plain(str(error))}*"
    return f"![{plain(clip.id)}](data:image/webp;base64,{base64.b64encode(sheet(read.images)).decode()})"
