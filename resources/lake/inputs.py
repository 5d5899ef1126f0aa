"""What an annotator is shown of a shard beside the pixels: the text of each clip, the answers of others."""

from dataclasses import dataclass, replace

import pyarrow.compute as pc

from resources.annotation.clip import Clip
from resources.annotation.declaration import SOURCE_TEXT, TEXT
from resources.annotation.outcome import Status
from resources.lake.lake import Lake
from resources.storage.files import read_table


@dataclass(frozen=True)
class Inputs:
    """``assets``: whose answers are read; with ``text`` they are the captioners, the preferred one first,
    and ``source`` where the text of the source list goes before some of them."""

    reads: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()

    def of(self, lake: Lake, shard: str) -> tuple[list[Clip], dict]:
        """The clips as the annotator sees them, and what its recipe says of where the text came from.

        An answer that is read counts by what it says (:meth:`Annotator.input_key`), not by who said it: a clip whose
        inputs are the same is not done again. Only the text also brings its captioner's fingerprint, as released.
        """
        clips = lake.clips(shard)
        answers: dict[str, dict[str, tuple[str, str | None]]] = {
            asset: {} if asset == SOURCE_TEXT else ok_answers(lake, shard, asset) for asset in self.assets
        }
        if TEXT not in self.reads:
            if SOURCE_TEXT in self.reads:
                answers = {
                    SOURCE_TEXT: {clip.id: (clip.text, None) for clip in clips if clip.text},
                    **answers,
                }
            said = [
                {asset: rows[clip.id][0] for asset, rows in answers.items() if clip.id in rows}
                for clip in clips
            ]
            return [replace(clip, answers=each) for clip, each in zip(clips, said, strict=True)], {}
        answers[SOURCE_TEXT] = {clip.id: (clip.text, None) for clip in clips if clip.text}
        chosen = {
            clip.id: next((name for name, rows in answers.items() if clip.id in rows), None) for clip in clips
        }
        # The most preferred captioner stands for the shard: a clip that falls back to another has other words.
        best = next((name for name in answers if name in chosen.values()), None)
        shown = [
            replace(clip, text=answers[by][clip.id][0] if (by := chosen[clip.id]) else None) for clip in clips
        ]
        return shown, {"text_from": {best: next(iter(answers[best].values()))[1]} if best else {}}


def ok_answers(lake: Lake, shard: str, asset: str) -> dict[str, tuple[str, str | None]]:
    """Value and fingerprint of every current answer that is ``ok``, by clip."""
    file = lake.file(asset, shard)
    if not file.exists():
        return {}
    rows = read_table(file, columns=["id", "value", "fingerprint", "status", "current"])
    rows = rows.filter(pc.and_(rows["current"], pc.equal(rows["status"], Status.OK)))
    return {row["id"]: (row["value"], row["fingerprint"]) for row in rows.to_pylist()}
