"""A clip is its content: whatever is done to the files between runs, the tables say what is there now."""

import os
import shutil
from collections import Counter
from pathlib import Path

import duckdb
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from resources.annotation.annotator import Annotator
from resources.annotation.declaration import Column, Declaration, Role
from resources.annotation.loop import LoopOptions, annotate_shard
from resources.annotation.outcome import Answer
from resources.annotation.recipe import Recipe
from resources.lake.indexing import index_source
from resources.lake.lake import Lake
from resources.lake.left_out import GONE
from resources.lake.meta import probe_clips
from resources.source.source import survey
from resources.storage.files import read_table
from resources.warehouse import TextRule, Warehouse
from tests.lake.here import Here

DECLARED = (Declaration("says", Role.CAPTION, (Column("caption_says", meaning="what it shows"),), "Says."),)
CONTENTS = "12345"
NAMES, COLOURS = st.sampled_from("abcd"), st.sampled_from(CONTENTS)
OPERATIONS = st.one_of(
    st.tuples(st.just("write"), NAMES, COLOURS),
    st.tuples(st.just("rename"), NAMES, NAMES),
    st.tuples(st.just("swap"), NAMES, NAMES),
    st.tuples(st.just("copy"), NAMES, NAMES),
    st.tuples(st.just("delete"), NAMES),
    st.just(("run",)),
    st.just(("run",)),
)


class Says(Annotator):
    """Says of each clip what it shows, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    @property
    def recipe(self) -> Recipe:
        return Recipe("says", {})

    def annotate(self, batch):
        self.asked.update(content_of(clip.path) for clip in batch)
        return [Answer(content_of(clip.path)) for clip in batch]


def content_of(path: Path) -> str:
    """What the picture shows."""
    with Image.open(path) as image:
        return CONTENTS[image.getpixel((0, 0)) // 50]


class World:
    """Pictures below a folder, what should be there by a simple model, and the product over them."""

    def __init__(self, root: Path) -> None:
        self.folder, self.home = root / "source", root / "home"
        self.folder.mkdir()
        self.files: dict[str, str] = {}
        self.lake, self.model = Lake(self.home), Says()
        self.warehouse = Warehouse(str(self.home / "vidcap.duckdb"), log=lambda line: None)
        self.most: Counter[str] = Counter()
        self.write("kept", "1")

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.png"

    def write(self, name: str, content: str) -> None:
        self.files[name] = content
        Image.new("L", (8, 8), 50 * CONTENTS.index(content) + 10).save(self.path(name))
        os.utime(
            self.path(name), ns=(10**18, 10**18)
        )  # as archives and copies set it: no clock tells them apart

    def rename(self, name: str, other: str) -> None:
        if name in self.files and name != other:
            self.files[other] = self.files.pop(name)
            os.rename(self.path(name), self.path(other))

    def swap(self, name: str, other: str) -> None:
        if name in self.files and other in self.files and name != other:
            self.rename(name, "aside")
            self.rename(other, name)
            self.rename("aside", other)

    def copy(self, name: str, other: str) -> None:
        if name in self.files and name != other:
            self.files[other] = self.files[name]
            shutil.copy2(self.path(name), self.path(other))

    def delete(self, name: str) -> None:
        if self.files.pop(name, None):
            self.path(name).unlink()

    def run(self) -> None:
        said: list[str] = []
        update = index_source(self.lake, lambda: survey(self.folder), 3, Here(), said.append)
        for shard in self.lake.shards():
            self.lake.write_meta(shard, probe_clips(self.lake.manifest(shard), Here()))
            store = self.lake.store(self.model.recipe, shard)
            annotate_shard(self.model, self.lake.clips(shard), store, LoopOptions(log=said.append))
            self.warehouse.merge(self.lake, shard, DECLARED, TextRule(("says",)))
        assert update.clips == len(self.files)

    def query(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.home / "vidcap.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def check(self) -> None:
        """What should hold after a run."""
        rows = self.query("SELECT path, caption_says, id, duplicate_of FROM captioned_videos")
        assert {Path(path).stem: said for path, said, _, _ in rows} == self.files
        assert len(rows) == len(self.files) == len({row[2] for row in rows})
        # As many clips of a content as there ever were at once, each asked for once, and gone where it is not there.
        self.most |= Counter(self.files.values())
        assert self.model.asked == self.most
        clips = [clip for shard in self.lake.shards() for clip in self.lake.whole_manifest(shard)]
        assert len(clips) == self.most.total()
        assert {clip.id for clip in clips if not clip.gone} == {row[2] for row in rows}
        assert sum(row[3] is None for row in rows) == len(set(self.files.values()))
        assert self.query(f"SELECT count(*) FROM left_out WHERE reason = '{GONE}'") == [
            (len(clips) - len(rows),)
        ]
        current = self.query("SELECT count(*) FROM annotations WHERE is_current AND status = 'ok'")
        assert current == [(len(rows),)]
        kept = sum(read_table(self.lake.file("says", shard)).num_rows for shard in self.lake.shards())
        assert kept == len(clips)


@settings(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(operations=[("write", "a", "2"), ("write", "b", "3"), ("run",), ("swap", "a", "b")])
@example(operations=[("write", "a", "2"), ("write", "b", "2"), ("run",), ("delete", "a")])
@given(operations=st.lists(OPERATIONS, min_size=6, max_size=20))
def test_one_row_a_file_with_its_own_answer_and_nothing_is_asked_twice(tmp_path_factory, operations):
    world = World(tmp_path_factory.mktemp("world"))
    for operation, *names in [*operations, ("run",)]:
        getattr(world, operation)(*names)
        if operation == "run":
            world.check()


def test_a_clip_that_is_gone_leaves_a_shard_of_which_the_headers_were_not_read_again(tmp_path):
    world = World(tmp_path)
    world.write("a", "2")
    world.run()
    world.delete("a")
    index_source(world.lake, lambda: survey(world.folder), 3, Here(), lambda line: None)
    assert [clip.path.stem for clip in world.lake.clips("shard-00000")] == ["kept"]
