"""A collection of one's own, from `vidcap init` on: what was captioned stays as it is unless its entry changed."""

import shlex
import subprocess
from pathlib import Path

import duckdb
import pytest

from tests.cli.process import Terminal
from tests.dataset.collection import Collection, clip

ENTRIES = """
    - {kind: transformers, name: plain, model: demo, prompt: Describe it., max_new_tokens: 4}
    - {kind: transformers, name: brief, model: demo, prompt: Say it in a word., max_new_tokens: 3}
    - kind: camera_motion
"""
ANSWERS = "SELECT annotator, id, fingerprint, run_id, created_at FROM annotations WHERE status <> 'skipped'"


def captioned_by(terminal: Terminal) -> dict[str, set]:
    """What was ever answered, by annotator."""
    with duckdb.connect(str(terminal.folder / "data" / "vidcap.duckdb"), read_only=True) as database:
        rows = database.execute(ANSWERS).fetchall()
    return {name: {row[1:] for row in rows if row[0] == name} for name in {row[0] for row in rows}}


def new(before: dict[str, set], after: dict[str, set]) -> dict[str, int]:
    """How many answers each annotator gave since."""
    return {name: len(rows - before.get(name, set())) for name, rows in after.items()}


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory, write_video) -> Terminal:
    """Three clips and a file that cannot be read, captioned by two entries of one kind."""
    folder = tmp_path_factory.mktemp("own")
    for seed in range(3):
        write_video(folder / "clips" / f"{seed}.mp4", seed)
    (folder / "clips" / "broken.mp4").write_bytes(b"no video")
    terminal = Terminal(folder)
    made = terminal.json("init", "--source", "clips")
    assert made["left_out"], "of the entries that name no model"
    file = folder / "vidcap.yaml"
    assert terminal.says("init").returncode == 1, "the file is left as it is"
    head, _, _ = file.read_text().partition("  annotators:\n")
    file.write_text(f"{head}  annotators:{ENTRIES}")
    result = terminal.json("run")
    assert [run["success"] for run in result["runs"]] == [True, True]
    return terminal


def test_two_entries_of_a_kind_stand_side_by_side(terminal: Terminal) -> None:
    assert {name: len(rows) for name, rows in captioned_by(terminal).items()} == {
        "captions_plain": 3,
        "captions_brief": 3,
        "camera_motion": 3,
    }
    compared = terminal.json("compare", "1.mp4")
    assert {said["captioner"] for said in compared["captions"]} == {"captions_plain", "captions_brief"}
    assert terminal.json("config")["settings"]["brief.max_new_tokens"] == {
        "value": 3,
        "from": "vidcap.yaml:10",
    }


def test_what_is_captioned_stays_until_its_own_entry_changes(terminal: Terminal) -> None:
    first = captioned_by(terminal)
    terminal.json("run")
    assert new(first, captioned_by(terminal)) == dict.fromkeys(first, 0)

    terminal.json("retry", "--failed")
    assert new(first, captioned_by(terminal)) == dict.fromkeys(first, 0), "one unreadable file redoes nothing"

    file = terminal.folder / "vidcap.yaml"
    file.write_text(file.read_text().replace("Say it in a word.", "One word please."))
    said = terminal.says("run")
    assert said.returncode == 0, said.stderr
    assert (
        'captions_brief: 3 rows to be redone: prompt.0.text "Say it in a word." → "One word please."'
        in said.stderr
    )
    assert "captions_plain" not in said.stderr
    shown = [
        shlex.split(line.strip().split("  ")[0]) for line in said.stdout.split("Next:\n")[1].splitlines()
    ]
    assert [arguments for _, *arguments in shown] == [["report", "--open"], ["export"], ["status"]]
    assert subprocess.run(shown[-1], cwd=terminal.folder, capture_output=True, check=False).returncode == 0
    second = captioned_by(terminal)
    assert new(first, second) == {"captions_plain": 0, "camera_motion": 0, "captions_brief": 3}

    terminal.json("rebuild")
    assert captioned_by(terminal) == second
    assert terminal.json("export", "--format", "csv")["rows"] == 3
    assert "plain" in terminal.json("compare", "1.mp4")["text_source"]


def test_a_source_for_one_command_is_said(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    said = terminal.says("run", str(tmp_path / "none"))
    assert "this command looks in" in said.stdout
    assert said.returncode == 1


def test_above_a_hundred_rows_somebody_has_to_agree(tmp_path: Path) -> None:
    home = tmp_path / "data"
    Terminal(tmp_path).says("init")
    collection = Collection(home)
    collection.add_shard("shard-00000", [clip(f"clip{number}") for number in range(101)])
    collection.annotate("camera_motion", lambda one: "static")
    said = Terminal(tmp_path).says("run", "--captioners", "")
    assert said.returncode == 1
    assert "101 rows would be redone, nothing was started; agree with --yes" in said.stderr
    assert not (home / "logs").exists()
