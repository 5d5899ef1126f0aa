"""Which caption is the text of a clip: the first captioner in the order of preference that has one."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from resources.annotation.outcome import Status
from resources.lake import Lake
from resources.storage import read_table

SOURCE = "source"


@dataclass(frozen=True, slots=True)
class CaptionText:
    """A clip's text, the captioner it comes from (or ``source``) and the fingerprint of its recipe."""

    text: str
    source: str
    fingerprint: str | None = None


def caption_texts(lake: Lake, shard: str, order: Sequence[str]) -> dict[str, CaptionText]:
    """The text of every clip of a shard that has one, by id; the same choice as the merged table makes."""
    texts = {clip.id: CaptionText(clip.text, SOURCE) for clip in lake.clips(shard) if clip.text}
    for captioner in reversed(order):
        file = lake.file(captioner, shard)
        if not file.exists():
            continue
        rows = read_table(file, columns=["id", "value", "fingerprint", "status", "current"])
        rows = rows.filter(pc.and_(rows["current"], pc.equal(rows["status"], Status.OK)))
        for row in rows.to_pylist():
            texts[row["id"]] = CaptionText(row["value"], captioner, row["fingerprint"])
    return texts
