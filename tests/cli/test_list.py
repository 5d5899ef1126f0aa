import csv
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vidcap_assets.cli.app import app

PAGE = Path(__file__).parents[2] / "docs/coming-from-open-sora.md"
COMMANDS = re.findall(r"`(vidcap list [^`]* --out (?!FILE)[^`]*)`", PAGE.read_text())


@pytest.fixture
def place(tmp_path, monkeypatch, write_video):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("a", "b")):
        write_video(tmp_path / "clips" / f"{name}.mp4", seed=seed)
        write_video(tmp_path / "captioned" / f"{name}.mp4", seed=seed)
        (tmp_path / "captioned" / f"{name}.txt").write_text(f"clip {name}")
    (tmp_path / "clips" / "c.png").write_bytes(b"x")
    (tmp_path / "meta.csv").write_text(
        "path,text,aes\n"
        "clips/a.mp4,a <b>dog</b> https://x.org/y  runs.,4.5\n"
        "clips/b.mp4,a cat.,6.5\n"
        "clips/c.png,a tree.,\n"
    )
    (tmp_path / "done.csv").write_text("path\nclips/b.mp4\n")
    return tmp_path


def make(command: str) -> list[dict[str, str]]:
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output
    out = Path(shlex.split(command)[-1])
    if out.suffix != ".csv":
        return [{"text": line} for line in out.read_text().splitlines()]
    with open(out, newline="") as lines:
        return list(csv.DictReader(lines))


def test_every_command_of_the_page_does_what_its_flag_says(place):
    rows = {shlex.split(command)[-1]: make(command) for command in COMMANDS}
    assert len(rows) == len(COMMANDS) == 19

    def names(out: str) -> list[str]:
        return [Path(row["path"]).name for row in rows[out]]

    assert [row["num_frames"] for row in rows["measured.csv"]] == ["6", "6", ""]
    assert names("rest.csv") == ["a.mp4", "c.png"]
    assert names("both.csv") == ["b.mp4"]
    assert names("best.csv") == ["b.mp4", "a.mp4", "c.png"]
    assert names("worst.csv") == ["a.mp4", "b.mp4", "c.png"]
    assert sorted(names("mixed.csv")) == ["a.mp4", "b.mp4", "c.png"]
    assert names("first.csv") == ["a.mp4", "b.mp4"]
    assert [row["path"] for row in rows["relative.csv"]] == ["a.mp4", "b.mp4", "c.png"]
    assert all(Path(row["path"]).is_absolute() for row in rows["absolute.csv"])
    assert names("images.csv") == ["c.png"]
    assert names("videos.csv") == names("lengths.csv") == names("small.csv") == ["a.mp4", "b.mp4"]
    assert names("slow.csv") == ["a.mp4", "b.mp4", "c.png"]
    assert names("fine.csv") == ["b.mp4"]
    assert ["clip a" in row["text"] for row in rows["texts.jsonl"]] == [True, False]
    assert rows["clean.csv"][0]["text"] == "a dog runs."
    assert rows["ending.csv"][1]["text"] == "a cat. In colour."
    assert [row["text"] for row in rows["scored.csv"]][1:] == ["a cat. aesthetic score: 6.5.", "a tree."]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("vidcap list meta.csv --sort nothing --out x.csv", "there is no column 'nothing'"),
        ("vidcap list meta.csv --sort 'aes\" DESC; --' --out x.csv", "there is no column"),
        ("vidcap list meta.csv --out x.xls", "expected a name that ends with"),
    ],
)
def test_what_cannot_be_meant_is_refused(place, command, message):
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 1 and message in done.output


def test_a_home_is_listed_with_its_texts(captioned, tmp_path):
    captioned.merge()
    rows = make(f"vidcap list {captioned.root} --fmin 2 --head 2 --out {tmp_path / 'x.csv'}")
    assert [row["id"] for row in rows] == ["a1", "a2"] and rows[0]["text"]
