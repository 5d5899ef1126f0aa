from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.annotation.outcome import ClipError, ErrorKind
from resources.annotation.store import ANNOTATION_SCHEMA
from resources.lake.lake import NotMaterialisedError
from resources.lake.meta import META_SCHEMA
from resources.storage.files import write_table
from resources.warehouse import TextRule, Warehouse
from tests.dataset.collection import DECLARED, RULE, Collection, clip

SHARDS = ["shard-00000", "shard-00001", "shard-00002"]


def tables(warehouse: Warehouse) -> dict[str, list]:
    with warehouse.connect(read_only=True) as connection:
        return {
            name: connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall()
            for name in ("captioned_videos", "annotations", "recipes")
        }


def one(collection: Collection, sql: str):
    with collection.warehouse.connect(read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def three_shards(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Shards of unlike size, one of them with clips that failed, two recipes of one captioner."""
    collection = Collection(tmp_path_factory.mktemp("merge"))
    for number, shard in enumerate(SHARDS):
        collection.add_shard(shard, [clip(f"{number}{place}") for place in range(2 + number)])
    collection.annotate("captions_pllava", lambda clip: f"old {clip.id}")
    collection.annotate(
        "captions_pllava",
        lambda clip: ClipError(ErrorKind.REFUSED, "no") if clip.id == "11" else f"new {clip.id}",
        model="better",
    )
    collection.annotate("camera_motion", lambda clip: "static")
    collection.merge()
    return collection


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.lists(st.sampled_from(SHARDS), max_size=3), rest=st.permutations(SHARDS))
def test_any_order_and_repetition_of_merges_gives_the_same_tables(
    three_shards: Collection, tmp_path: Path, order: list[str], rest: list[str]
) -> None:
    (tmp_path / "again.duckdb").unlink(missing_ok=True)
    again = Warehouse(str(tmp_path / "again.duckdb"), log=lambda line: None)
    versions: dict[str, set[str]] = {}
    for shard in [*order, *rest]:
        versions.setdefault(shard, set()).add(again.merge(three_shards.lake, shard, DECLARED, RULE).version)
    assert all(len(found) == 1 for found in versions.values())
    assert tables(again) == tables(three_shards.warehouse)


def test_one_row_a_clip_with_its_own_captions(captioned: Collection) -> None:
    rows = one(
        captioned, "SELECT id, caption_llava, captions_pllava_status FROM captioned_videos ORDER BY id"
    )
    assert [row[0] for row in rows] == ["a1", "a2", "a3", "b1", "b2", "b3"]
    assert all(row[1] is None or f" {row[0]} " in row[1] for row in rows)
    assert [row[2] for row in rows] == ["ok", "failed", "ok", "ok", "skipped", "ok"]


def test_text_follows_the_order_of_preference_and_falls_back_to_the_source(captioned: Collection) -> None:
    captioned.warehouse.merge(
        captioned.lake, "shard-00000", DECLARED, TextRule(("captions_llava", "captions_pllava"))
    )
    sources = dict(one(captioned, "SELECT id, text_source FROM captioned_videos WHERE shard = 'shard-00000'"))
    assert sources == {"a1": "captions_llava", "a2": "captions_llava", "a3": "captions_llava"}
    captioned.warehouse.merge(
        captioned.lake, "shard-00000", DECLARED, TextRule(("captions_gpt4v", "source", "captions_llava"))
    )
    sources = dict(one(captioned, "SELECT id, text_source FROM captioned_videos WHERE shard = 'shard-00000'"))
    assert sources == {"a1": "captions_llava", "a2": "captions_gpt4v", "a3": "source"}
    captioned.warehouse.merge(captioned.lake, "shard-00000", DECLARED, TextRule(()))
    rows = one(
        captioned,
        "SELECT id, text, text_source FROM captioned_videos WHERE shard = 'shard-00000' ORDER BY id",
    )
    assert rows == [("a1", None, None), ("a2", None, None), ("a3", "An old caption from the list.", "source")]


@pytest.mark.parametrize(
    ("caption", "text"),
    [
        ("The video shows a dog.", "A dog."),
        ("This video clip depicts two rings on a table.", "Two rings on a table."),
        ("In the video, we see a river.", "A river."),
        ("In this image, there is a cat.", "A cat."),
        ("The image is a close-up of a hand.", "A close-up of a hand."),
        ("The video is about cooking.", "Cooking."),
        ("The video is blurry.", "The video is blurry."),
        ("A video shows a dog.", "A video shows a dog."),
        ("The video shows ", "The video shows "),
        ("The scene features élan.", "Élan."),
        ("The videographer shows a dog.", "The videographer shows a dog."),
    ],
)
def test_prefix_that_says_nothing_is_stripped(
    caption: str, text: str, rule: duckdb.DuckDBPyConnection
) -> None:
    assert rule.execute("SELECT without_prefix(?)", [caption]).fetchone() == (text,)


@pytest.mark.parametrize(
    ("cmotion", "sentence"),
    [
        ("pan_left+zoom_in", " Camera motion: pan left and zoom in."),
        ("static", " Camera motion: static."),
        ("unclassified", ""),
        (None, ""),
    ],
)
def test_camera_sentence(cmotion: str | None, sentence: str, rule: duckdb.DuckDBPyConnection) -> None:
    assert rule.execute("SELECT camera_sentence(?)", [cmotion]).fetchone() == (sentence,)


@pytest.mark.parametrize(
    "text",
    ["One.", "A red  ball", " A red ball ", "A\nred\r\n\tball", "Ünïcode, 日本 語", "a-b c'd", "", "   "],
)
def test_words_are_counted_by_the_white_space_between_them(
    text: str, rule: duckdb.DuckDBPyConnection
) -> None:
    assert rule.execute("SELECT word_count(?)", [text]).fetchone() == (max(1, len(text.split())),)


@pytest.fixture(scope="module")
def rule() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(Path("resources/warehouse/text_rule.sql").read_text())
    return connection


def test_text_is_changed_only_where_wanted_and_captions_never(captioned: Collection) -> None:
    captioned.warehouse.merge(
        captioned.lake, "shard-00000", DECLARED, TextRule(RULE.order, strip_prefix=True, camera_sentence=True)
    )
    [(text, length, caption)] = one(
        captioned, "SELECT text, text_len, caption_pllava FROM captioned_videos WHERE id = 'a1'"
    )
    assert text == "A red ball a1 rolling to the left. Camera motion: pan left and zoom in."
    assert length == len(text.split())
    assert caption == "The video shows a red ball a1 rolling to the left."


def test_merge_of_a_shard_without_metadata_says_what_is_missing(captioned: Collection) -> None:
    captioned.lake.file("raw_meta", "shard-00000").unlink()
    with pytest.raises(NotMaterialisedError, match="shard-00000"):
        captioned.warehouse.merge(captioned.lake, "shard-00000", DECLARED, RULE)


def test_failed_merge_leaves_the_tables_as_they_were(captioned: Collection) -> None:
    before = tables(captioned.warehouse)
    Path(captioned.lake.file("captions_llava", "shard-00000").path).write_bytes(b"damaged")
    with pytest.raises(duckdb.Error):
        captioned.warehouse.merge(captioned.lake, "shard-00000", DECLARED, RULE)
    assert tables(captioned.warehouse) == before


def test_a_lost_database_comes_back_from_the_lake(captioned: Collection) -> None:
    before = tables(captioned.warehouse)
    Path(captioned.warehouse.uri).unlink()
    captioned.merge()
    assert tables(captioned.warehouse) == before


def test_a_warehouse_of_an_older_version_gets_the_new_views(captioned: Collection) -> None:
    with captioned.warehouse.connect() as connection:
        connection.execute("DROP VIEW costs")
        [(version,)] = connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE starts_with(view_name, 'views_')"
        ).fetchall()
        connection.execute(f"DROP VIEW {version}")
        connection.execute("CREATE VIEW views_00000000 AS SELECT 1")
    captioned.merge(["shard-00000"])
    assert one(captioned, "SELECT count(*) FROM costs") == [(6,)]
    assert len(one(captioned, "SELECT 1 FROM duckdb_views() WHERE starts_with(view_name, 'views_')")) == 1


def test_no_row_of_a_large_shard_is_lost(collection: Collection) -> None:
    """More rows than DuckDB puts into one row group, in one transaction."""
    count = 123_000
    ids = pa.array([f"{number:06d}" for number in range(count)])
    known = {"id": ids, "path": ids, "kind": pa.repeat("video", count)}
    meta = [
        known[field.name] if field.name in known else pa.nulls(count, field.type) for field in META_SCHEMA
    ]
    collection.lake.write_meta("shard-00000", pa.table(meta, schema=META_SCHEMA))
    constant = {"shard": "shard-00000", "annotator": "captions_llava", "fingerprint": "f", "status": "ok"}
    answers = {
        "id": ids,
        "value": ids,
        "current": pa.repeat(pa.scalar(True), count),
        **{name: pa.repeat(value, count) for name, value in constant.items()},
    }
    columns = [
        answers[field.name] if field.name in answers else pa.nulls(count, field.type)
        for field in ANNOTATION_SCHEMA
    ]
    write_table(
        collection.lake.file("captions_llava", "shard-00000"), pa.table(columns, schema=ANNOTATION_SCHEMA)
    )
    merge = collection.warehouse.merge(collection.lake, "shard-00000", DECLARED, RULE)
    assert (merge.clips, merge.annotations) == (count, count)
    counted = "SELECT count(*) FILTER (caption_llava = id), (SELECT count(*) FROM annotations) FROM captioned_videos"
    assert one(collection, counted) == [(count, count)]
    assert collection.warehouse.rebuild(collection.lake, DECLARED, RULE) == count
    assert one(collection, counted) == [(count, count)]


def test_the_text_of_the_list_is_the_text_where_it_is_preferred_and_there(captioned: Collection) -> None:
    for shard in captioned.lake.shards():
        captioned.warehouse.merge(
            captioned.lake,
            shard,
            captioned.declared,
            TextRule(["source", "captions_pllava", "captions_llava"]),
        )
    table = captioned.warehouse.frame("captioned_videos").set_index("id")
    assert table.loc["a3", ["text", "text_source"]].tolist() == ["An old caption from the list.", "source"]
    assert table.loc["a1", "text_source"] == "captions_pllava"
