from pathlib import Path

import duckdb
import pytest

from resources.annotation.declaration import Column, Declaration, Role
from resources.annotation.outcome import Answer
from resources.warehouse import ColumnTypeError, TextRule, Warehouse, WarehouseEmptyError
from tests.dataset.collection import DECLARED, RULE, Collection, captioner, clip, declared
from tests.warehouse.test_merge import one

RELEASED = """
id, path, shard, kind, num_frames, height, width, aspect_ratio, resolution, fps, duration_s, codec, content_id,
caption_pllava, caption_llava, caption_gpt4v, cmotion, objects, actions, text, text_source, text_len,
captions_pllava_status, captions_llava_status, captions_gpt4v_status, camera_motion_status, tags_objects_status,
tags_actions_status, probe_error, duplicate_of, source_text
"""
# The tables as version 0.1.0 made them.
OLD_SCHEMA = """
CREATE TABLE captioned_videos (
    id VARCHAR, path VARCHAR, shard VARCHAR, kind VARCHAR,
    num_frames BIGINT, height BIGINT, width BIGINT, aspect_ratio DOUBLE, resolution BIGINT,
    fps DOUBLE, duration_s DOUBLE, codec VARCHAR, content_id VARCHAR,
    caption_pllava VARCHAR, caption_llava VARCHAR, caption_gpt4v VARCHAR, cmotion VARCHAR,
    objects VARCHAR[], actions VARCHAR[],
    text VARCHAR, text_source VARCHAR, text_len BIGINT,
    captions_pllava_status VARCHAR, captions_llava_status VARCHAR, captions_gpt4v_status VARCHAR,
    camera_motion_status VARCHAR, tags_objects_status VARCHAR, tags_actions_status VARCHAR,
    probe_error VARCHAR, duplicate_of VARCHAR, source_text VARCHAR
);
CREATE TABLE annotations (
    id VARCHAR, shard VARCHAR, annotator VARCHAR, fingerprint VARCHAR,
    value VARCHAR, status VARCHAR, error_kind VARCHAR, error VARCHAR, finish_reason VARCHAR,
    tokens_in BIGINT, tokens_out BIGINT, seconds DOUBLE, cost_usd DOUBLE,
    attempt INTEGER, run_id VARCHAR, created_at TIMESTAMP,
    input_key VARCHAR, details JSON, is_current BOOLEAN
);
CREATE TABLE recipes (fingerprint VARCHAR, annotator VARCHAR, recipe JSON, first_seen TIMESTAMP);
CREATE VIEW views_12345678 AS SELECT 'the version of the views' AS note;
INSERT INTO captioned_videos (id, shard, caption_llava) VALUES ('old', 'shard-00009', 'An old caption.');
"""


@pytest.fixture
def two(collection: Collection) -> Collection:
    collection.add_shard("shard-00000", [clip("a"), clip("b")])
    return collection


def test_a_fresh_table_has_the_released_columns_in_their_order(two: Collection) -> None:
    two.merge()
    [table] = [two.warehouse.frame("captioned_videos")]
    assert list(table.columns) == [
        *(name.strip() for name in RELEASED.split(",")),
        "extra",
        "start_s",
        "end_s",
        "text_language",
        "text_language_confidence",
    ]
    assert len(table) == 2


def test_a_table_of_the_first_release_gets_what_is_new_and_keeps_its_rows(two: Collection) -> None:
    with two.warehouse.connect() as connection:
        connection.execute(OLD_SCHEMA)
    two.declared = (
        *DECLARED,
        captioner("llava_brief"),
        declared("brightness", Role.SCORE, "brightness", "DOUBLE"),
    )
    two.annotate("captions_llava_brief", lambda clip: f"Brief {clip.id}.")
    two.annotate("brightness", lambda clip: "0.25")
    two.merge()
    rows = one(
        two, "SELECT id, caption_llava, caption_llava_brief, brightness FROM captioned_videos ORDER BY id"
    )
    assert rows == [
        ("a", None, "Brief a.", 0.25), ("b", None, "Brief b.", 0.25), ("old", "An old caption.", None, None),
    ]  # fmt: skip
    assert one(two, "SELECT caption_llava_brief FROM caption_comparison WHERE id = 'a'") == [("Brief a.",)]


def test_two_llavas_stand_side_by_side(two: Collection) -> None:
    two.declared = (captioner("llava"), captioner("llava_brief"))
    two.annotate("captions_llava", lambda clip: f"Long {clip.id}.")
    two.annotate("captions_llava_brief", lambda clip: f"Brief {clip.id}.")
    two.merge()
    [row] = one(
        two, "SELECT caption_llava, caption_llava_brief, [said.captioner FOR said IN captions] "
        "FROM caption_comparison WHERE id = 'a'"
    )  # fmt: skip
    assert row == ("Long a.", "Brief a.", ["captions_llava", "captions_llava_brief"])


def test_fifty_annotators(two: Collection) -> None:
    two.declared = tuple(captioner(f"model_{number}") for number in range(50))
    two.annotate("captions_model_37", lambda clip: f"I see {clip.id}.")
    two.merge()
    assert one(two, "SELECT caption_model_37 FROM caption_comparison WHERE id = 'b'") == [("I see b.",)]
    assert one(two, "SELECT count(*), sum(missing) FROM coverage") == [(50, 98)]


def test_names_that_are_words_of_sql(two: Collection) -> None:
    two.declared = (
        declared("select", Role.CAPTION, "order"),
        declared("group", Role.LABEL, "table"),
        declared("from", Role.SCORE, "limit", "DOUBLE"),
    )
    two.annotate("select", lambda clip: "Words.")
    two.annotate("group", lambda clip: "pan_left")
    two.annotate("from", lambda clip: "2")
    for shard in two.lake.shards():
        two.warehouse.merge(two.lake, shard, two.declared, TextRule(("select",), camera_sentence=True))
    found = 'SELECT "order", "table", "limit", text, select_status FROM captioned_videos WHERE id = \'a\''
    assert one(two, found) == [("Words.", "pan_left", 2.0, "Words. Camera motion: pan left.", "ok")]


def test_columns_from_the_details_of_an_answer(two: Collection) -> None:
    two.declared = (
        Declaration(
            "judge",
            Role.STRUCTURED,
            (
                Column("judged", "JSON"),
                Column("judge_score", "DOUBLE", path="$.score"),
                Column("judge_missing", "VARCHAR[]", path="$.missing"),
                Column("judge_parts", "STRUCT(subject INTEGER, camera INTEGER)", path="$.parts"),
            ),
            "Judges.",
        ),
    )
    details = {"score": 0.5, "missing": ["dog", "it's"], "parts": {"subject": 4, "camera": 1}}
    two.annotate("judge", lambda clip: Answer('{"a": 1}', details=details))
    two.merge()
    found = "SELECT judged ->> '$.a', judge_score, judge_missing, judge_parts FROM captioned_videos WHERE id = 'a'"
    assert one(two, found) == [("1", 0.5, ["dog", "it's"], {"subject": 4, "camera": 1})]


def test_a_column_of_another_type_is_refused_by_name(two: Collection) -> None:
    two.declared = (declared("brightness", Role.SCORE, "brightness"),)
    two.annotate("brightness", lambda clip: "0.25")
    two.merge()
    two.declared = (declared("brightness", Role.SCORE, "brightness", "DOUBLE"),)
    with pytest.raises(ColumnTypeError, match=r"brightness .* VARCHAR.* DOUBLE: run `vidcap rebuild`"):
        two.merge()
    assert one(two, "SELECT brightness FROM captioned_videos WHERE id = 'a'") == [("0.25",)]
    two.warehouse.rebuild(two.lake, two.declared, RULE)
    assert one(two, "SELECT brightness FROM captioned_videos WHERE id = 'a'") == [(0.25,)]


def test_another_spelling_of_a_type_is_the_same_type(two: Collection) -> None:
    two.declared = (declared("brightness", Role.SCORE, "brightness", "FLOAT8"),)
    two.merge()
    two.merge()
    assert two.warehouse.frame("captioned_videos")["brightness"].isna().all()


def test_an_answer_of_another_type_is_no_null(two: Collection) -> None:
    two.declared = (declared("brightness", Role.SCORE, "brightness", "DOUBLE"),)
    two.annotate("brightness", lambda clip: "very bright")
    with pytest.raises(duckdb.ConversionException, match="very bright"):
        two.merge()


def test_an_annotator_taken_out_keeps_its_answers_and_its_columns(captioned: Collection) -> None:
    captioned.declared = tuple(one for one in DECLARED if one.asset != "captions_llava")
    captioned.merge()
    answers = (
        "SELECT count(*), count(*) FILTER (is_current) FROM annotations WHERE annotator = 'captions_llava'"
    )
    assert one(captioned, answers) == [(6, 0)]
    assert "caption_llava" in captioned.warehouse.frame("captioned_videos")
    assert one(captioned, "SELECT list(name ORDER BY place) FROM annotators") == [
        ([one.asset for one in captioned.declared],)
    ]
    assert captioned.warehouse.rebuild(captioned.lake, captioned.declared, RULE) == 6
    assert one(captioned, answers) == [(6, 0)]
    captioned.declared = DECLARED
    captioned.merge()
    assert one(captioned, answers) == [(6, 6)]


def test_tables_are_handed_out_as_data_frames(captioned_once: Collection, tmp_path: Path) -> None:
    table = captioned_once.warehouse.frame("captioned_videos").set_index("id")
    assert table.loc["a2", "text"] == "Ball a2."
    assert captioned_once.warehouse.frame("coverage")["clips"].sum() == 36
    with pytest.raises(WarehouseEmptyError, match="nothing has been merged"):
        Warehouse(str(tmp_path / "none.duckdb")).frame("captioned_videos")


@pytest.mark.parametrize(
    "uri", ["ducklake:postgres:host=db", "s3://bucket/vidcap.duckdb", "ducklake:x.ducklake"]
)
def test_only_a_file_of_this_machine_is_a_warehouse(uri: str) -> None:
    with pytest.raises(ValueError, match="expected the path of a DuckDB file on this machine"):
        Warehouse(uri)
