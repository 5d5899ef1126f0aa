"""A small captioned collection in a real lake, without models: what the data-set end is tested on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip, Kind
from resources.annotation.declaration import Column, Declaration, Role
from resources.annotation.loop import LoopOptions, annotate_shard
from resources.annotation.outcome import Answer, ClipError
from resources.annotation.recipe import Recipe
from resources.lake.lake import Lake
from resources.lake.meta import META_SCHEMA
from resources.lake.shards import IndexedClip
from resources.warehouse import TextRule, Warehouse

RULE = TextRule(("captions_gpt4v", "captions_pllava", "captions_llava"))


def captioner(name: str) -> Declaration:
    """What a captioner of this name declares."""
    return Declaration(
        f"captions_{name}", Role.CAPTION, (Column(f"caption_{name}", meaning=f"caption by {name}"),), "Says."
    )


def declared(
    name: str, role: Role, column: str, kind: str = "VARCHAR", path: str | None = None
) -> Declaration:
    """An annotator with one column."""
    return Declaration(name, role, (Column(column, kind, f"what {name} found", path),), f"Finds {column}.")


DECLARED = (
    captioner("pllava"),
    captioner("llava"),
    captioner("gpt4v"),
    declared("camera_motion", Role.LABEL, "cmotion"),
    declared("tags_objects", Role.TAGS, "objects", "VARCHAR[]"),
    declared("tags_actions", Role.TAGS, "actions", "VARCHAR[]"),
)
Say = Callable[[Clip], str | Answer | ClipError]


def _quiet(line: str) -> None:
    pass


class ScriptedAnnotator(Annotator):
    """Says what the script says of each clip."""

    batch_size = 16

    def __init__(self, name: str, say: Say, model: str = "tiny") -> None:
        self._recipe, self._say = Recipe(name, {"model": model}), say

    @property
    def recipe(self) -> Recipe:
        return self._recipe

    def annotate(self, batch: Sequence[Clip]) -> list[Answer | ClipError]:
        answers: list[Answer | ClipError] = []
        for clip in batch:
            said = self._say(clip)
            if isinstance(said, str):
                said = Answer(said, "stop", tokens_in=10, tokens_out=len(said.split()), seconds=0.5)
            answers.append(said)
        return answers


def clip(clip_id: str, **known: object) -> Clip:
    """A plausible video clip; a path below /clips unless told otherwise."""
    base = Clip(
        id=clip_id,
        path=Path(f"/clips/{clip_id}.mp4"),
        kind=Kind.VIDEO,
        content_id=f"content-{clip_id}",
        num_frames=48,
        height=360,
        width=640,
        fps=24.0,
        duration_s=2.0,
        codec="h264",
    )
    return replace(base, **known)  # type: ignore[arg-type]


@dataclass
class Collection:
    """A lake and a warehouse below ``root``."""

    root: Path
    declared: tuple[Declaration, ...] = DECLARED

    @property
    def lake(self) -> Lake:
        return Lake(self.root)

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(str(self.root / "vidcap.duckdb"), lock_timeout_s=5, log=_quiet)

    def add_shard(
        self, shard: str, clips: Sequence[Clip], duplicates: Mapping[str, str] | None = None
    ) -> None:
        """Index clips as a shard and write what a probe would have found."""
        duplicates = duplicates or {}
        self.lake.write_manifest(
            shard,
            [
                IndexedClip(c.id, str(c.path), c.kind, c.text, c.content_id, 1000, 0, duplicates.get(c.id))
                for c in clips
            ],
        )
        rows = [
            {
                **{name: getattr(c, name) for name in META_SCHEMA.names if hasattr(c, name)},
                "path": str(c.path),
                "aspect_ratio": c.height / c.width if c.height and c.width else None,
                "resolution": c.height * c.width if c.height and c.width else None,
                "duplicate_of": duplicates.get(c.id),
            }
            for c in clips
        ]
        self.lake.write_meta(shard, pa.Table.from_pylist(rows, schema=META_SCHEMA))

    def annotate(self, name: str, say: Say, *, model: str = "tiny", run_id: str = "run-1") -> None:
        """Run one annotator over every shard."""
        assert name in {one.asset for one in self.declared}
        annotator = ScriptedAnnotator(name, say, model)
        for shard in self.lake.shards():
            store = self.lake.store(annotator.recipe, shard)
            annotate_shard(annotator, self.lake.clips(shard), store, LoopOptions(run_id=run_id, log=_quiet))
        self.lake.remember(annotator.recipe)

    def merge(self, shards: Sequence[str] | None = None) -> None:
        """Merge shards, by default all."""
        for shard in self.lake.shards() if shards is None else shards:
            self.warehouse.merge(self.lake, shard, self.declared, RULE)
