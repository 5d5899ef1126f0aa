import pytest

from tests.dataset.collection import Collection


@pytest.fixture(scope="module")
def rows(captioned_once: Collection):
    """Runs a query on the collection of `captioned_once`; rows as dicts."""

    def run(sql: str) -> list[dict]:
        with captioned_once.warehouse.connect(read_only=True) as connection:
            result = connection.execute(sql)
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    return run


def test_comparison_has_every_captioner_and_the_lists_own_caption(rows) -> None:
    found = {row["id"]: row for row in rows("SELECT * FROM caption_comparison")}
    assert len(found) == 6
    assert found["a3"]["source"] == "An old caption from the list."
    assert found["a3"]["text_source"] == "captions_pllava"
    assert found["a3"]["caption_llava"] == "A red ball a3 rolls over a green field."
    by_captioner = {said["captioner"]: said for said in found["a2"]["captions"]}
    assert set(by_captioner) == {"captions_gpt4v", "captions_llava", "captions_pllava"}
    assert by_captioner["captions_pllava"]["error_kind"] == "empty_output"
    assert by_captioner["captions_gpt4v"]["model"] == "tiny"


def test_comparison_keeps_the_captions_of_older_recipes(captioned: Collection) -> None:
    captioned.annotate("captions_llava", lambda clip: f"Better words for {clip.id}.", model="larger")
    captioned.merge()
    with captioned.warehouse.connect(read_only=True) as connection:
        [(captions,)] = connection.execute(
            "SELECT captions FROM caption_comparison WHERE id = 'a1'"
        ).fetchall()
    llava = [
        (said["model"], said["is_current"]) for said in captions if said["captioner"] == "captions_llava"
    ]
    assert llava == [("larger", True), ("tiny", False)]


def test_failures_name_the_command_that_retries_them(rows) -> None:
    found = {(row["annotator"], row["error_kind"]): row for row in rows("SELECT * FROM failures")}
    assert set(found) == {
        ("captions_gpt4v", "rate_limited"), ("captions_pllava", "empty_output"), ("raw_meta", "decode_error"),
    }  # fmt: skip
    limited = found["captions_gpt4v", "rate_limited"]
    assert (limited["clips"], limited["shards"]) == (4, ["shard-00000", "shard-00001"])
    assert limited["command"] == "vidcap retry --failed --kind rate_limited --annotator captions_gpt4v"
    assert found["raw_meta", "decode_error"]["example"] == "decode_error: moov atom not found"


def test_costs_are_by_recipe(rows) -> None:
    found = {row["annotator"]: row for row in rows("SELECT * FROM costs")}
    assert found["captions_gpt4v"]["cost_usd"] == pytest.approx(0.01)
    assert found["captions_gpt4v"]["cost_usd_per_caption"] == pytest.approx(0.01)
    assert found["captions_llava"]["cost_usd"] is None
    assert (found["captions_llava"]["clips"], found["captions_llava"]["tokens_in"]) == (5, 50)


def test_throughput_is_by_run(rows) -> None:
    found = {row["annotator"]: row for row in rows("SELECT * FROM throughput")}
    assert (found["captions_pllava"]["run_id"], found["captions_pllava"]["clips"]) == ("run-1", 5)
    assert found["captions_pllava"]["failed"] == 1
    assert found["captions_pllava"]["clips_per_model_second"] == pytest.approx(2.0)


def test_coverage_accounts_for_every_clip_of_every_annotator(rows) -> None:
    found = rows("SELECT * FROM coverage")
    assert len(found) == 2 * 6
    assert all(row["ok"] + row["failed"] + row["skipped"] + row["missing"] == row["clips"] for row in found)
    second = next(
        row for row in found if (row["shard"], row["annotator"]) == ("shard-00001", "captions_pllava")
    )
    assert (second["ok"], second["skipped"], second["missing"]) == (2, 1, 0)


def test_coverage_of_an_annotator_that_has_not_run_is_missing(collection: Collection) -> None:
    from tests.dataset.collection import clip

    collection.add_shard("shard-00000", [clip("a"), clip("b")])
    collection.merge()
    with collection.warehouse.connect(read_only=True) as connection:
        found = connection.execute("SELECT DISTINCT missing FROM coverage").fetchall()
    assert found == [(2,)]
