import os
from pathlib import Path

import pytest

from resources.annotation.outcome import AnnotatorError
from resources.engine import fingerprint
from resources.engine.checkpoint import Checkpoint


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "README.md").write_text("words")
    return folder


def weights(folder: Path, cache: Path) -> str:
    return Checkpoint.locate(folder).identity(cache)["weights"]


def test_the_same_files_are_the_same_model_wherever_they_lie(model: Path, tmp_path: Path) -> None:
    before = weights(model, tmp_path / "cache")
    model.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "README.md").write_text("other words")
    assert weights(tmp_path / "elsewhere", tmp_path / "cache") == before


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_another_byte_is_another_model(name: str, model: Path, tmp_path: Path) -> None:
    before = weights(model, tmp_path)
    (model / name).write_bytes(b"Weights")
    os.utime(model / name, ns=(1, 1))
    assert weights(model, tmp_path) != before


def test_unchanged_weights_are_read_once(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = weights(model, tmp_path)
    read: list[Path] = []
    hash_file = fingerprint.sha256_of_file
    monkeypatch.setattr(fingerprint, "sha256_of_file", lambda path: read.append(path) or hash_file(path))
    assert weights(model, tmp_path) == before
    assert read == []
    (model / "config.json").write_text('{"changed": true}')
    assert weights(model, tmp_path) != before
    assert read == [model / "config.json"]


def test_a_spoiled_cache_is_built_anew(model: Path, tmp_path: Path) -> None:
    before = weights(model, tmp_path)
    for file in (tmp_path / "fingerprints").iterdir():
        file.write_text("{ not json")
    assert weights(model, tmp_path) == before


def test_a_cache_that_cannot_be_written_costs_only_time(model: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert weights(model, blocked) == weights(model, tmp_path / "cache")


def test_a_folder_without_model_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AnnotatorError, match="holds no model files"):
        weights(tmp_path / "empty", tmp_path)
