import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from resources.annotation.outcome import ErrorKind
from tests.dataset.collection import Collection
from vidcap_assets.cli import app
from vidcap_assets.cli.annotators import chosen
from vidcap_assets.cli.progress import duration
from vidcap_assets.cli.retry import retry_stages
from vidcap_assets.cli.stages import Stage, stages_of
from vidcap_assets.collection.file import DEFAULT, CollectionFile
from vidcap_assets.collection.settings import CollectionSettings
from vidcap_assets.collection.shards import contiguous


@pytest.fixture
def vidcap(monkeypatch: pytest.MonkeyPatch):
    """Runs a command in this process; gives exit code and output."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    for name in ("VIDCAP_HOME", "VIDCAP_WAREHOUSE", "VIDCAP_SOURCE", "VIDCAP_CONFIG", "VIDCAP_PINNED"):
        monkeypatch.delenv(name, raising=False)

    def run(home: Path, *arguments: str) -> tuple[int, str]:
        monkeypatch.setenv("VIDCAP_HOME", str(home))
        # Pinned in this process by an earlier command, and put back after the test.
        monkeypatch.setenv("VIDCAP_PINNED", "{}")
        result = CliRunner().invoke(app, list(arguments))
        return result.exit_code, result.output

    return run


def process(home: Path, *arguments: str) -> tuple[int, dict]:
    """Runs a command as users do; gives exit code and its JSON."""
    environment = {
        **os.environ,
        "VIDCAP_HOME": str(home),
        "DAGSTER_HOME": str(home / "dagster"),
        "VIDCAP_DEFINITIONS": "tests.cli.one_process",
        "OPENAI_API_KEY": "none",
    }
    (home / "dagster").mkdir(parents=True, exist_ok=True)
    (home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    command = [sys.executable, "-W", "ignore", "-m", "vidcap_assets.cli", *arguments, "--json"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False, timeout=300)
    return done.returncode, json.loads(done.stdout)


def test_status(vidcap, captioned_once: Collection) -> None:
    code, output = vidcap(captioned_once.root, "status")
    assert code == 0
    assert "vidcap retry --failed --kind rate_limited --annotator captions_gpt4v" in output
    assert "captions_pllava" in output
    code, output = vidcap(captioned_once.root, "status", "--json")
    content = json.loads(output)
    [pllava] = [row for row in content["coverage"] if row["annotator"] == "captions_pllava"]
    assert (pllava["ok"], pllava["failed"], pllava["skipped"], pllava["missing"]) == (4, 1, 1, 0)
    assert [row["cost_usd"] for row in content["costs"] if row["annotator"] == "captions_gpt4v"] == [0.01]


def test_compare(vidcap, captioned_once: Collection) -> None:
    code, output = vidcap(captioned_once.root, "compare", "a3")
    assert code == 0
    assert "An old caption from the list." in output
    assert "captions_pllava · the text" in output
    code, output = vidcap(captioned_once.root, "compare", "a2.mp4", "--json")
    assert {said["captioner"] for said in json.loads(output)["captions"]} >= {
        "captions_pllava",
        "captions_llava",
    }


def test_compare_of_an_unknown_clip_fails(vidcap, captioned_once: Collection) -> None:
    code, output = vidcap(captioned_once.root, "compare", "nobody", "--json")
    assert code == 1
    assert "there is no clip 'nobody'" in json.loads(output)["error"]


@pytest.mark.parametrize("command", [["status"], ["compare", "x"], ["retry", "--failed"], ["rebuild"]])
def test_before_the_first_run_the_next_step_is_named(vidcap, tmp_path: Path, command: list[str]) -> None:
    code, output = vidcap(tmp_path, *command, "--json")
    assert code == 1
    assert "start with: vidcap run SOURCE" in json.loads(output)["error"]


@pytest.mark.parametrize(
    "command",
    [["run", "--captioners", "blip"], ["retry"], ["retry", "--failed", "--kind", "tired"],
     ["retry", "--failed", "--annotator", "captions"], ["export", "--captioner", "blip"],
     ["ui", "--port", "99999999"], ["nonsense"]],
)  # fmt: skip
def test_wrong_usage_is_exit_code_2(vidcap, tmp_path: Path, command: list[str]) -> None:
    assert vidcap(tmp_path, *command)[0] == 2


def test_reap_with_nothing_to_end(vidcap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    code, output = vidcap(tmp_path, "reap", "--json")
    assert (code, json.loads(output)) == (0, [])


def test_retry_with_nothing_of_that_kind(vidcap, captioned_once: Collection) -> None:
    code, output = vidcap(captioned_once.root, "retry", "--failed", "--kind", "refused", "--json")
    assert (code, json.loads(output)) == (0, {"success": True, "runs": []})


def test_rebuild(vidcap, captioned: Collection) -> None:
    changed = DEFAULT.read_text().replace(
        "order: [gpt4v, pllava, llava]", "order: [llava], camera_sentence: true"
    )
    (captioned.root / "vidcap.yaml").write_text(changed)
    code, output = vidcap(captioned.root, "rebuild", "--json")
    assert (code, json.loads(output)["clips"]) == (0, 6)
    compared = json.loads(vidcap(captioned.root, "compare", "a1", "--json")[1])
    assert compared["text_source"] == "captions_llava"


def test_doctor_names_what_is_wrong(vidcap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDCAP_SOURCE", str(tmp_path / "nowhere"))
    monkeypatch.setenv("VIDCAP_LLAVA_MODEL", str(tmp_path / "no-model"))
    code, output = vidcap(tmp_path, "doctor", "--json")
    found = {finding["what"]: finding for finding in json.loads(output)["findings"]}
    assert code == 1
    assert (found["source"]["level"], found["annotator llava"]["level"]) == ("bad", "bad")
    assert found["decoder"]["level"] == "ok"
    assert "pllava" in found["annotator pllava"]["remedy"]
    assert "sk-very-secret" not in output


def test_doctor_tells_of_a_damaged_database(vidcap, tmp_path: Path) -> None:
    (tmp_path / "vidcap.duckdb").write_bytes(b"this is no database" * 1000)
    code, output = vidcap(tmp_path, "doctor", "--json")
    [found] = [one for one in json.loads(output)["findings"] if one["what"] == "warehouse"]
    assert (code, found["level"]) == (1, "bad")
    assert "the lake has everything" in found["remedy"]


@pytest.mark.parametrize(
    ("wanted", "ranges"),
    [
        ("", []),
        ("a", ["a"]),
        ("abcd", ["abc", "d"]),
        ("acd", ["a", "cd"]),
        ("fab", ["ab", "f"]),
    ],
)
def test_ranges_of_neighbours(wanted: str, ranges: list[str]) -> None:
    assert contiguous(list("abcdef"), list(wanted), 3) == [list(one) for one in ranges]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> CollectionSettings:
    """The collection of the default file, the paid captioner with a key."""
    monkeypatch.delenv("VIDCAP_SOURCE", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    return CollectionFile.at(DEFAULT).settings


@pytest.mark.parametrize(
    ("assets", "kinds", "stages"),
    [
        (
            ["camera_motion"], [ErrorKind.MISSING_FILE],
            [("caption_videos", ("camera_motion", "captioned_videos"), {})],
        ),
        (
            ["captions_llava"], [],
            [("caption_videos", ("captions_llava", "tags", "captioned_videos"), {"captions_llava": []})],
        ),
        (
            ["captions_llava", "tags_actions"], [ErrorKind.REFUSED, ErrorKind.RATE_LIMITED],
            [("caption_videos", ("captions_llava", "tags", "captioned_videos"),
              {"captions_llava": ["REFUSED", "RATE_LIMITED"], "tags": ["REFUSED", "RATE_LIMITED"]})],
        ),
        (
            ["captions_gpt4v"], [ErrorKind.RATE_LIMITED],
            [("caption_videos_gpt4v", ("captions_gpt4v", "tags", "captioned_videos"), {})],
        ),
        (
            ["raw_meta"], [ErrorKind.DECODE_ERROR],
            [("caption_videos", ("raw_meta", "captions_pllava", "captions_llava", "camera_motion", "tags",
                                 "captioned_videos"), {})],
        ),
    ],
)  # fmt: skip
def test_a_retry_runs_what_failed_and_what_reads_it(settings, assets, kinds, stages) -> None:
    def redone(stage: Stage) -> dict[str, list[str]]:
        return {op: said["config"]["redo_kinds"] for op, said in stage.config.get("ops", {}).items()}

    found = [(stage.job, stage.steps, redone(stage)) for stage in retry_stages(settings, assets, kinds)]
    assert found == [
        (job, steps, again if kinds != [ErrorKind.RATE_LIMITED] else {}) for job, steps, again in stages
    ]


def test_paid_captioner_runs_last_and_tags_once(settings: CollectionSettings) -> None:
    assert stages_of(settings, chosen(settings, "llava,gpt4v")) == [
        Stage(
            "caption_videos",
            ("captions_llava", "camera_motion"),
            ("raw_meta", "captions_llava", "camera_motion"),
        ),
        Stage(
            "caption_videos_gpt4v",
            ("captions_gpt4v", "tags_objects", "tags_actions"),
            ("captions_gpt4v", "tags", "captioned_videos"),
        ),
    ]


def test_paid_captioners_run_only_when_named(settings: CollectionSettings) -> None:
    assert "gpt4v" not in [one.name for one in chosen(settings, None)]
    assert [one.name for one in chosen(settings, "")] == ["camera_motion", "tags"]


WRONG = {
    "an unknown setting": "attributes: {sorce: demo}",
    "a kind that is not there": "attributes: {annotators: [{kind: blip}]}",
    "YAML that is none": "attributes: {",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("command", [["run", "demo"], ["status"], ["retry", "--failed"], ["rebuild"], ["export"],
                                     ["report"], ["compare", "x"], ["doctor"], ["ui"], ["reap"],
                                     ["config"]])  # fmt: skip
def test_a_wrong_file_is_one_sentence_and_nothing_is_started(
    vidcap, tmp_path, monkeypatch, text, command
) -> None:
    monkeypatch.setenv("VIDCAP_CONFIG", "")
    file = tmp_path / "wrong.yaml"
    file.write_text(f"type: vidcap_assets.Collection\n{text}\n")
    code, output = vidcap(tmp_path / "home", "--config", str(file), *command)
    assert code == 2
    assert output.startswith(f"{file}:2:") or output.startswith(f"{file}:3:")
    assert len(output.strip().splitlines()) == 1
    assert not (tmp_path / "home").exists()


def test_of_several_files_one_has_to_be_named(
    vidcap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / name for name in ("a.yaml", "b.yaml")]
    for file in files:
        file.write_text("type: vidcap_assets.Collection\nattributes: {source: demo, home: there}\n")
    monkeypatch.setenv("VIDCAP_CONFIG", os.pathsep.join(map(str, files)))
    code, output = vidcap(tmp_path, "status")
    assert code == 2
    assert all(str(file) in output for file in files)
    assert "name one with --config" in output


def test_a_home_that_the_file_contradicts_is_refused(vidcap, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("VIDCAP_CONFIG", "")
    file = tmp_path / "own.yaml"
    file.write_text("type: vidcap_assets.Collection\nattributes:\n  home: there\n")
    code, output = vidcap(tmp_path, "--config", str(file), "--home", str(tmp_path / "other"), "status")
    assert code == 2
    assert output.startswith(f"{file}:3: home: the home is {tmp_path / 'there'}")


def test_config_says_where_each_value_comes_from(vidcap, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("VIDCAP_CONFIG", "")
    monkeypatch.setenv("FEW", "3")
    file = tmp_path / "own.yaml"
    file.write_text(
        "type: vidcap_assets.Collection\nattributes:\n  source: demo\n  home: there\n"
        '  shards_per_run: "{{ env.FEW }}"\n  annotators:\n  - {kind: camera_motion, threshold: 0.5}\n'
    )
    said = json.loads(vidcap(tmp_path, "--config", str(file), "config", "--json")[1])
    assert said["settings"]["shards_per_run"] == {"value": 3, "from": "FEW"}
    assert said["settings"]["source.uri"] == {"value": "demo", "from": "own.yaml:3"}
    assert said["settings"]["camera_motion.threshold"] == {"value": 0.5, "from": "own.yaml:7"}
    assert said["settings"]["decode.timeout_s"] == {"value": 120.0, "from": "default"}


def test_config_tells_all_that_can_be_set(vidcap, tmp_path: Path) -> None:
    code, output = vidcap(tmp_path, "config", "--kinds")
    assert code == 0
    assert "kind: camera_motion" in output
    assert "Share of the shorter side by which edges must move." in output
    schema = json.loads(vidcap(tmp_path, "config", "--kinds", "--json")[1])
    assert schema["$defs"]["Decode"]["properties"]["timeout_s"]["default"] == 120.0


@pytest.mark.parametrize(("seconds", "text"), [(42, "42 s"), (200, "3 min"), (7800, "2 h 10 min")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_export_by_its_job(captioned: Collection) -> None:
    code, result = process(captioned.root, "export", "--fmax", "47", "--format", "csv")
    assert code == 0, result
    assert (result["rows"], result["clips"], result["filters"]) == (2, 6, {"fmax": 47})
    lines = (captioned.root / "exports" / "training_set" / "training_set.csv").read_text().splitlines()
    assert len(lines) == 3


def test_run_of_a_folder_is_merged_and_found_again(tmp_path: Path, write_video, vidcap) -> None:
    for seed in range(3):
        write_video(tmp_path / "clips" / f"{seed}.mp4", seed)
    (tmp_path / "clips" / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "clips" / "module.ts").write_text("const a = 1\n")
    code, result = process(
        tmp_path / "home", "run", str(tmp_path / "clips"), "--captioners", "", "--shard-size", "3"
    )
    assert code == 0, result
    assert [(run["job"], run["success"]) for run in result["runs"]] == [
        ("index_videos", True),
        ("caption_videos", True),
    ]
    assert all(Path(run["log"]).is_file() and run["run_id"] for run in result["runs"])
    status = json.loads(vidcap(tmp_path / "home", "status", "--json")[1])
    [camera] = [row for row in status["coverage"] if row["annotator"] == "camera_motion"]
    assert (camera["clips"], camera["ok"] + camera["failed"], camera["skipped"], camera["shards"]) == (
        4,
        3,
        1,
        2,
    )
    left_out = {"kind": ".ts", "reason": "neither a video nor an image", "files": 1}
    assert status["left_out_files"] == [left_out | {"example": str(tmp_path / "clips" / "module.ts")}]
    with duckdb.connect(str(tmp_path / "home" / "vidcap.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT kind FROM left_out").fetchall() == [(".ts",)]
    code, result = process(tmp_path / "home", "retry", "--failed", "--kind", "decode_error")
    assert (code, [run["success"] for run in result["runs"]]) == (0, [True])


def test_a_home_that_is_a_file_is_wrong_usage(vidcap, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, output = vidcap(tmp_path / "file", "status")
    assert code == 2
    assert "is a file; the home must be a folder" in output


def test_a_damaged_database_names_the_way_out(vidcap, tmp_path: Path) -> None:
    (tmp_path / "vidcap.duckdb").write_bytes(b"no database" * 1000)
    code, output = vidcap(tmp_path, "status", "--json")
    assert code == 1
    assert "vidcap rebuild" in json.loads(output)["error"]


def test_a_taken_port_is_told(vidcap, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, output = vidcap(tmp_path, "ui", "--port", str(taken.getsockname()[1]), "--json")
    assert code == 1
    assert "another --port" in json.loads(output)["error"]


def test_run_of_a_source_that_is_not_there_fails_at_once(vidcap, tmp_path: Path) -> None:
    code, output = vidcap(tmp_path / "home", "run", str(tmp_path / "nowhere"), "--json")
    assert code == 1
    assert "nowhere: there is no such folder or list" in json.loads(output)["error"]
    assert not (tmp_path / "home").exists()
