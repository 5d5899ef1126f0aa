import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.annotation.outcome import ClipError
from resources.annotation.progress import untold
from resources.lake.contents import read_contents
from resources.lake.shards import IndexedClip, manifest_clips, manifest_table, read_before, update_index
from resources.source.source import Entry, kind_of
from resources.video.probe import probe
from tests.lake.here import Here

Shards = dict[str, list[IndexedClip]]


class Collection:
    """A folder of files whose content is given, indexed again and again."""

    def __init__(self, folder: Path, shard_size: int = 3) -> None:
        self.folder = folder
        self.shard_size = shard_size
        self.shards: Shards = {}

    def write(self, **files: str) -> None:
        for name, content in files.items():
            (self.folder / f"{name}.mp4").write_text(content)

    def index(self, entries: list[Entry] | None = None):
        if entries is None:
            entries = [Entry(path, kind_of(path)) for path in sorted(self.folder.glob("*.mp4"))]
        named = {entry.path: entry.kind for entry in entries}
        files = read_contents(named, read_before(self.shards), Here(), None, lambda line: None, untold)
        update = update_index(entries, self.shards, self.shard_size, files)
        self.shards |= update.written
        return update

    def clip(self, name: str) -> IndexedClip:
        return next(c for clips in self.shards.values() for c in clips if Path(c.path).stem == name)


@pytest.fixture
def collection(tmp_path):
    return Collection(tmp_path)


def test_new_clips_never_touch_existing_shards(collection):
    collection.write(b="1", c="2", d="3", e="4")
    collection.index()
    before = dict(collection.shards)
    collection.write(a="5")
    update = collection.index()
    assert list(update.written) == ["shard-00002"]
    assert {shard: clips for shard, clips in collection.shards.items() if shard in before} == before
    assert [len(clips) for clips in collection.shards.values()] == [3, 1, 1]


def test_indexing_again_changes_nothing(collection):
    collection.write(a="1", b="2")
    collection.index()
    update = collection.index()
    assert not (update.written or any(update.changes.values()))


def test_a_moved_clip_keeps_its_id_and_place(collection):
    collection.write(a="1", b="2")
    collection.index()
    clip = collection.clip("b")
    os.rename(collection.folder / "b.mp4", collection.folder / "renamed.mp4")
    update = collection.index()
    assert update.changes["moved"] == [clip.id]
    assert not update.changes["added"]
    assert collection.clip("renamed").id == clip.id


def test_files_that_take_each_others_names_keep_their_ids(collection):
    collection.write(h1="1", h2="2")
    collection.index()
    first, second = collection.clip("h1"), collection.clip("h2")
    os.rename(collection.folder / "h2.mp4", collection.folder / "h3.mp4")
    os.rename(collection.folder / "h1.mp4", collection.folder / "h2.mp4")
    update = collection.index()
    assert sorted(update.changes["moved"]) == sorted([first.id, second.id])
    assert not (update.changes["added"] or update.changes["changed"] or update.changes["gone"])
    assert (collection.clip("h2").id, collection.clip("h3").id) == (first.id, second.id)


def test_a_path_that_is_listed_twice_is_two_clips_and_stays_so(collection, tmp_path):
    collection.write(a="1")
    path = tmp_path / "a.mp4"
    entries = [Entry(path, kind_of(path), text="one"), Entry(path, kind_of(path), text="two")]
    assert len(collection.index(entries).changes["added"]) == 2
    update = collection.index([entries[0], Entry(path, kind_of(path), text="another")])
    assert not (
        update.changes["added"]
        or update.changes["gone"]
        or update.changes["moved"]
        or update.changes["changed"]
    )
    assert [clip.text for clip in collection.shards["shard-00000"]] == ["one", "another"]


def test_a_file_that_is_away_keeps_what_is_known_of_it(collection, tmp_path):
    collection.write(a="1")
    path = tmp_path / "a.mp4"
    collection.index([Entry(path, kind_of(path))])
    before = collection.clip("a")
    path.unlink()
    update = collection.index([Entry(path, kind_of(path))])
    assert not (update.changes["changed"] or update.changes["gone"])
    assert collection.clip("a") == before


def test_a_duplicate_that_becomes_something_else_is_none_any_more(collection):
    collection.write(a="same", b="same")
    collection.index()
    collection.write(b="something else entirely")
    assert not collection.index().changes["duplicates"]
    assert collection.clip("b").duplicate_of is None


def test_other_content_is_another_clip_and_the_first_comes_back_with_its_own(collection):
    collection.write(a="1", b="2")
    collection.index()
    before = collection.clip("a")
    collection.write(a="something else")
    update = collection.index()
    assert update.changes["gone"] == [before.id]
    [now] = update.changes["added"]
    collection.write(a="1")
    update = collection.index()
    assert (update.changes["gone"], update.changes["returned"], update.changes["added"]) == (
        [now],
        [before.id],
        [],
    )


def test_a_file_renamed_over_another_is_one_clip(collection):
    collection.write(x="1", y="2")
    collection.index()
    x, y = collection.clip("x"), collection.clip("y")
    os.rename(collection.folder / "x.mp4", collection.folder / "y.mp4")
    update = collection.index()
    assert (update.changes["moved"], update.changes["gone"]) == ([x.id], [y.id])
    assert [clip.id for clip in collection.shards["shard-00000"] if not clip.gone] == [x.id]


def test_two_files_alike_in_size_and_time_that_are_swapped_are_seen(collection):
    collection.write(x="1", y="2")
    for name in "xy":
        os.utime(collection.folder / f"{name}.mp4", ns=(10**18, 10**18))
    collection.index()
    x, y = collection.clip("x"), collection.clip("y")
    for name, other in (("x", "z"), ("y", "x"), ("z", "y")):
        os.rename(collection.folder / f"{name}.mp4", collection.folder / f"{other}.mp4")
    assert sorted(collection.index().changes["moved"]) == sorted([x.id, y.id])
    assert (collection.clip("x").id, collection.clip("y").id) == (y.id, x.id)


def test_of_one_content_the_clip_that_is_there_moves_and_the_one_that_is_gone_stays_gone(collection):
    collection.write(a="same", b="same")
    collection.index()
    a, b = collection.clip("a"), collection.clip("b")
    (collection.folder / "a.mp4").unlink()
    assert collection.index().changes["gone"] == [a.id]
    os.rename(collection.folder / "b.mp4", collection.folder / "a.mp4")
    update = collection.index()
    assert (update.changes["moved"], update.changes["returned"]) == ([b.id], [])


def test_duplicates_are_kept_as_clips_and_reported(collection):
    collection.write(a="same", b="same", c="other")
    update = collection.index()
    assert update.changes["duplicates"] == [collection.clip("b").id]
    assert collection.clip("b").duplicate_of == collection.clip("a").id
    assert len({c.id for c in collection.shards["shard-00000"]}) == 3


def test_a_byte_in_the_middle_makes_another_clip(collection):
    content = "x" * 1_000_000
    collection.write(a=content, b=content[:500_000] + "y" + content[500_001:])
    assert not collection.index().changes["duplicates"]


def test_a_clip_that_is_gone_keeps_its_row(collection):
    collection.write(a="1", b="2")
    collection.index()
    clip = collection.clip("b")
    (collection.folder / "b.mp4").unlink()
    update = collection.index()
    assert update.changes["gone"] == [clip.id]
    assert collection.clip("b") == replace(clip, gone=True)
    assert not collection.index().changes["gone"]


def test_missing_and_special_files_are_rows_without_content(collection, tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    names = ["missing.mp4", "pipe.mp4"]
    entries = [Entry(tmp_path / name, kind_of(Path(name))) for name in names]
    collection.index(entries)
    assert [c.content_id for c in collection.shards["shard-00000"]] == [None, None]
    collection.write(missing="there now")
    update = collection.index(entries)
    assert update.changes["changed"] == [collection.clip("missing").id]
    assert collection.clip("missing").content_id


def test_a_name_that_is_not_utf8_costs_its_clip_only_and_its_id_survives_the_renaming(collection, tmp_path):
    name = os.fsdecode(bytes(tmp_path) + b"/caf\xe9.mp4")
    Path(name).write_text("1")
    collection.write(b="2")
    collection.index()
    assert not collection.index().written
    clip = collection.clip("caf\\xe9")
    assert (
        manifest_clips(manifest_table(collection.shards["shard-00000"])) == collection.shards["shard-00000"]
    )
    with pytest.raises(ClipError, match=r"missing_file.*renamed"):
        probe(Path(clip.path))
    Path(name).rename(tmp_path / "coffee.mp4")
    assert collection.index().changes["moved"] == [clip.id]


def test_ids_of_a_list_are_used_and_followed(collection, tmp_path):
    collection.write(a="1", b="2")
    collection.index([Entry(tmp_path / "a.mp4", kind_of(Path("a.mp4")), id="first", text="old")])
    update = collection.index([Entry(tmp_path / "b.mp4", kind_of(Path("b.mp4")), id="first", text="new")])
    assert update.changes["changed"] == ["first"]
    assert collection.clip("b").text == "new"


def test_ids_do_not_depend_on_where_the_collection_lies(tmp_path):
    ids = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        collection = Collection(tmp_path / name)
        collection.write(a="1", b="2")
        collection.index()
        ids.append([c.id for c in collection.shards["shard-00000"]])
    assert ids[0] == ids[1]


def test_the_manifest_table_holds_every_field(collection):
    collection.write(a="same", b="same")
    collection.index()
    clips = collection.shards["shard-00000"]
    assert manifest_clips(manifest_table(clips)) == clips


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("12345")), max_size=5))
def test_whatever_comes_and_goes_ids_are_unique_and_places_are_final(tmp_path_factory, steps):
    collection = Collection(tmp_path_factory.mktemp("collection"))
    places: dict[str, tuple[str, int]] = {}
    for files in steps:
        for path in collection.folder.glob("*.mp4"):
            path.unlink()
        collection.write(**files)
        collection.index()
        now = {c.id: (s, row) for s, clips in collection.shards.items() for row, c in enumerate(clips)}
        assert len(now) == sum(map(len, collection.shards.values()))
        assert places.items() <= now.items()
        places = now
        indexed = {c.path for clips in collection.shards.values() for c in clips}
        assert {str(collection.folder / f"{name}.mp4") for name in files} <= indexed
