import pytest
from upath import UPath

from resources.annotation.journal import Journal
from resources.annotation.outcome import ErrorKind, Outcome, Status
from resources.storage.files import TEMP_PREFIX, DamagedFileError


def outcomes(*ids: str, value: str = "v") -> list[Outcome]:
    return [Outcome(i, Status.OK, value=value) for i in ids]


def test_what_was_appended_is_read_back_in_order_with_every_field(tmp_path):
    journal = Journal(UPath(tmp_path))
    journal.append(outcomes("b", "a"))
    failed = Outcome(
        "c",
        Status.FAILED,
        "key",
        error_kind=ErrorKind.DECODE_ERROR,
        error="broken",
        details={"frames": [1, 2], "name": "é"},
        attempt=3,
        run_id="run",
    )
    journal.append([failed])
    rows = Journal(UPath(tmp_path)).read().to_pylist()
    assert [row["id"] for row in rows] == ["b", "a", "c"]
    assert rows[2]["error_kind"] == "decode_error"
    assert rows[2]["details"] == '{"frames": [1, 2], "name": "é"}'
    assert rows[2]["created_at"] == failed.created_at.replace(tzinfo=None)
    assert (rows[2]["attempt"], rows[2]["run_id"], rows[2]["input_key"]) == (3, "run", "key")


def test_the_last_outcome_of_a_clip_wins_across_restarts(tmp_path):
    Journal(UPath(tmp_path)).append(outcomes("a", "b", value="old"))
    Journal(UPath(tmp_path)).append(outcomes("a", value="new"))
    assert {row["id"]: row["value"] for row in Journal(UPath(tmp_path)).read().to_pylist()} == {
        "a": "new",
        "b": "old",
    }


def test_leftovers_of_a_killed_writer_are_removed_and_never_read(tmp_path):
    Journal(UPath(tmp_path)).append(outcomes("a"))
    (tmp_path / f"{TEMP_PREFIX}123").write_bytes(b'{"id": "half a l')
    (tmp_path / "notes.txt").write_text("not a part")
    assert Journal(UPath(tmp_path)).read()["id"].to_pylist() == ["a"]
    assert not list(tmp_path.glob(f"{TEMP_PREFIX}*"))


@pytest.mark.parametrize("ending", [b'{"id": "half a l', b"\0" * 5000 + b"\n{}\n"], ids=["half", "zeros"])
def test_what_a_kill_cut_short_is_not_read_and_what_comes_later_is(tmp_path, ending):
    journal = Journal(UPath(tmp_path))
    journal.append(outcomes("a"))
    journal.append(outcomes("b"))
    (part,) = tmp_path.iterdir()
    with open(part, "ab") as file:
        file.write(ending)
    Journal(UPath(tmp_path)).append(outcomes("c"))
    assert Journal(UPath(tmp_path)).read()["id"].to_pylist() == ["a", "b", "c"]


def test_a_writer_keeps_to_one_part_on_a_local_disk(tmp_path):
    journal = Journal(UPath(tmp_path))
    for i in range(20):
        journal.append(outcomes(f"c{i}"))
    assert len(list(tmp_path.iterdir())) == 1
    assert Journal(UPath(tmp_path)).read().num_rows == 20


def test_the_many_parts_of_an_object_store_are_folded_into_one_without_loss():
    folder = UPath("memory://journal/of/many/parts")
    journal = Journal(folder)
    for i in range(300):
        journal.append(outcomes(f"c{i}"))
    assert Journal(folder).read()["id"].to_pylist() == [f"c{i}" for i in range(300)]
    assert len(list(folder.iterdir())) < 128


def test_a_failed_write_leaves_no_trace(tmp_path, monkeypatch):
    journal = Journal(UPath(tmp_path))
    journal.append(outcomes("a"))

    def disk_full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", disk_full)
        with pytest.raises(OSError, match="No space left"):
            journal.append(outcomes("b"))
    assert journal.read()["id"].to_pylist() == ["a"]
    journal.append(outcomes("c"))
    assert journal.read()["id"].to_pylist() == ["a", "c"]
    assert not list(tmp_path.glob(f"{TEMP_PREFIX}*"))


def test_a_whole_line_that_is_damaged_is_named_and_not_passed_over(tmp_path):
    Journal(UPath(tmp_path)).append(outcomes("a", "b"))
    (part,) = tmp_path.iterdir()
    part.write_bytes(part.read_bytes().replace(b'"', b"\xff", 1))
    with pytest.raises(DamagedFileError, match=f"the journal {tmp_path} is damaged"):
        Journal(UPath(tmp_path)).read()
