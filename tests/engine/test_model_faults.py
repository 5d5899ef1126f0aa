"""What the model folder is to blame for is one sentence before anything is decoded, and no clip's failure."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from resources.annotation.clip import Clip, Kind
from resources.annotation.outcome import AnnotatorError
from resources.captioners.kinds import Transformers
from resources.captioners.transformers import TransformersCaptioner
from resources.engine.checkpoint import Checkpoint
from tests.golden import MODELS

CLIPS = [Clip("c", Path("c.mp4"), Kind.VIDEO)]


def cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])


def cut_header(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:100])


def unknown(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "brand_new"}))


def foreign_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    added = {"model_type": "brand_new", "auto_map": {"AutoModel": "modeling.Brand"}}
    (folder / "config.json").write_text(json.dumps(config | added))


def half_config(folder: Path) -> None:
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text[: len(text) // 2])


def adapter_only(folder: Path) -> None:
    (folder / "config.json").rename(folder / "adapter_config.json")


def no_tokenizer(folder: Path) -> None:
    for file in folder.glob("token*"):
        file.unlink()


def missing_shard(folder: Path) -> None:
    shards = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(shards))


FAULTS: dict[Callable[[Path], None], str] = {
    cut: r"model\.safetensors' is cut short \(\d+ bytes of \d+\): fetch it again",
    cut_header: r"model\.safetensors' is cut short",
    unknown: "is of the kind 'brand_new' and needs a newer",
    foreign_code: "needs code of its own, which is not run",
    half_config: "config.json of .* is no JSON",
    adapter_only: "is an adapter and no model: name its base",
    no_tokenizer: "cannot load the processor|cannot be used",
    missing_shard: r"model-00002-of-00002\.safetensors' is missing, which model\.safetensors\.index\.json names",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(MODELS / "llava_next_mistral336", tmp_path / "model"))
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'][-1]['text'] }}")
    return folder


def captioner(folder: Path) -> TransformersCaptioner:
    settings = Transformers(name="a", model=str(folder), device="cpu")
    return TransformersCaptioner(settings, frames=None, cache=folder.parent)  # type: ignore[arg-type]


@pytest.mark.parametrize(("spoil", "sentence"), FAULTS.items(), ids=[each.__name__ for each in FAULTS])
def test_the_model_is_at_fault_and_not_tried_again(
    spoil: Callable[[Path], None], sentence: str, folder: Path
) -> None:
    spoil(folder)
    with pytest.raises(AnnotatorError, match=sentence) as refused:
        captioner(folder).check(CLIPS)
    assert not refused.value.retryable
    assert "\n" not in str(refused.value)


def test_a_whole_model_passes_and_a_finished_shard_loads_nothing(folder: Path) -> None:
    captioner(folder).check(CLIPS)
    cut(folder)
    captioner(folder).check([])


def test_values_of_a_missing_processor_config_come_from_the_config(folder: Path) -> None:
    whole = captioner(folder)._read_chat().owner
    (folder / "processor_config.json").unlink()
    processor = captioner(folder)._read_chat().owner
    for name in ("patch_size", "vision_feature_select_strategy", "num_additional_image_tokens"):
        assert getattr(processor, name) == getattr(whole, name), name


def weights(folder: Path) -> str:
    return Checkpoint.locate(folder).identity(folder.parent / "cache")["weights"]


@pytest.mark.parametrize("name", ["notes.txt", "README.md", "trainer_state.json", "optimizer.bin", "log.txt"])
def test_what_is_not_loaded_does_not_count(name: str, folder: Path) -> None:
    before = weights(folder)
    (folder / name).write_text("{}")
    assert weights(folder) == before


@pytest.mark.parametrize(
    "name", ["merges.txt", "vocab.json", "chat_template.jinja", "generation_config.json"]
)
def test_what_is_read_counts(name: str, folder: Path) -> None:
    before = weights(folder)
    (folder / name).write_text("{}")
    assert weights(folder) != before


def test_weights_as_pytorch_model_bin_count_where_there_are_no_others(folder: Path) -> None:
    before = weights(folder)
    (folder / "pytorch_model.bin").write_bytes(b"one")
    assert weights(folder) == before
    (folder / "model.safetensors").unlink()
    alone = weights(folder)
    (folder / "pytorch_model.bin").write_bytes(b"other")
    assert weights(folder) != alone
