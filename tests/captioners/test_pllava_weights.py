"""A checkpoint either loads in full or says what is wrong with it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlavaConfig, LlavaForConditionalGeneration

from resources.captioners.pllava import PllavaCaptioner
from resources.captioners.pllava_weights import model_name, read_adapter_weights
from resources.engine.engine import Engine
from resources.engine.model_spec import WeightsError
from tests.golden import MODELS, golden_clip, golden_json

Build = Callable[..., PllavaCaptioner]
Change = Callable[[dict[str, torch.Tensor]], None]

Q_PROJ = "language_model.base_model.model.model.layers.1.self_attn.q_proj"


def changed_copy(source: str, folder: Path, change: Change) -> Path:
    shutil.copytree(MODELS / source, folder)
    for file in folder.glob("*.safetensors"):
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file, metadata={"format": "pt"})
    index = folder / "model.safetensors.index.json"
    if index.exists():
        files = {name: file.name for file in folder.glob("*.safetensors") for name in load_file(file)}
        index.write_text(json.dumps(json.loads(index.read_text()) | {"weight_map": files}))
    return folder


def drop(part: str) -> Change:
    """Leave out every weight whose name contains ``part``."""

    def change(tensors: dict[str, torch.Tensor]) -> None:
        for name in [name for name in tensors if part in name]:
            del tensors[name]

    return change


def rename(old: str, new: str) -> Change:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        if old in tensors:
            tensors[new] = tensors.pop(old)

    return change


def cut(name: str) -> Change:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        if name in tensors:
            tensors[name] = tensors[name][:-1].clone()

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            drop(f"{Q_PROJ}.base_layer.weight"),
            "1 missing: model.language_model.layers.1.self_attn.q_proj.weight",
        ),
        (drop("multi_modal_projector.linear_2.bias"), "missing: model.multi_modal_projector.linear_2.bias"),
        (drop("language_model.base_model.model.lm_head.weight"), "missing: lm_head.weight"),
        (drop(f"{Q_PROJ}.lora_B.default.weight"), "adapter .* missing: .*layers.1.self_attn.q_proj.lora_B"),
        (rename("multi_modal_projector.linear_1.bias", "projector.bias"), "1 unexpected: .*projector.bias"),
        (cut("language_model.base_model.model.model.norm.weight"), "of another shape: .*norm.weight"),
    ],
)
def test_a_release_with_a_fault_is_refused_by_name(
    change: Change, message: str, tmp_path: Path, pllava: Build
) -> None:
    captioner = pllava(model=changed_copy("pllava_full56", tmp_path / "model", change))
    with pytest.raises(WeightsError, match=message):
        captioner.model_spec().load([torch.device("cpu")])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            rename("multi_modal_projector.linear_1.bias", "multi_modal_projector.linear_3.bias"),
            "unexpected: .*linear_3",
        ),
        (
            cut("multi_modal_projector.linear_1.bias"),
            r"linear_1.bias in .* is \(63,\), the model has \(64,\)",
        ),
        (
            drop("lora"),
            "no LoRA matrices",
        ),
    ],
)
def test_a_weight_folder_with_a_fault_is_refused_by_name(
    change: Change, message: str, tmp_path: Path, pllava: Build
) -> None:
    captioner = pllava(
        model=MODELS / "llava_next_base336",
        adapter=changed_copy("pllava_lora336", tmp_path / "adapter", change),
        pooling_shape=(4, 12, 12),
    )
    with pytest.raises(WeightsError, match=message):
        captioner.model_spec().load([torch.device("cpu")])


def test_every_weight_of_a_13b_release_has_its_place() -> None:
    keys: dict[str, list[int]] = golden_json("expected_keys_pllava_13b.json")
    config = LlavaConfig(
        vision_config={
            "model_type": "clip_vision_model",
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "image_size": 336,
            "patch_size": 14,
            "projection_dim": 768,
        },
        text_config={
            "model_type": "llama",
            "hidden_size": 5120,
            "intermediate_size": 13824,
            "num_hidden_layers": 40,
            "num_attention_heads": 40,
            "vocab_size": keys["language_model.base_model.model.lm_head.weight"][0],
        },
    )
    with torch.device("meta"):
        expected = {
            name: list(t.shape) for name, t in LlavaForConditionalGeneration(config).state_dict().items()
        }
    whole = {model_name(name): shape for name, shape in keys.items() if ".lora_" not in name}
    assert whole == expected
    layers = {model_name(name.split(".lora_")[0]) + ".weight" for name in keys if ".lora_" in name}
    assert layers <= set(expected)
    assert len(layers) == 80


def test_a_weight_folder_becomes_a_peft_adapter(tmp_path: Path) -> None:
    weights = read_adapter_weights(MODELS / "pllava_lora336")
    weights.write_adapter(tmp_path, alpha=4)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (weights.rank, 4) == (128, 4)
    assert weights.adapted_layers[0] == "model.language_model.layers.0.self_attn.q_proj"
    assert len(weights.adapted_layers) == 6
    assert set(weights.replaced) == {
        f"model.multi_modal_projector.linear_{n}.{part}" for n in (1, 2) for part in ("weight", "bias")
    }


def test_all_layouts_of_the_same_weights_caption_alike(tmp_path: Path, pllava: Build) -> None:
    """A release, the merged model saved by the library, and a base with a PEFT adapter folder."""
    captioner = pllava()
    row = captioner.prepare(golden_clip("a_96x64"))
    expected = captioner.annotate([row])[0].value

    merged = Engine(captioner.model_spec()).model
    plain = LlavaForConditionalGeneration(merged.config)
    plain.load_state_dict(merged.state_dict())
    plain.save_pretrained(tmp_path / "merged")
    copy_processors(tmp_path / "merged")
    assert pllava(model=tmp_path / "merged").annotate([row])[0].value == expected

    read_adapter_weights(MODELS / "pllava_full56", lora_only=True).write_adapter(tmp_path / "peft", alpha=4)
    base = changed_copy(
        "pllava_full56",
        tmp_path / "base",
        drop(".lora_"),
    )
    with_adapter = pllava(model=base, adapter=tmp_path / "peft")
    assert with_adapter.annotate([row])[0].value == expected
    assert pllava(model=base).annotate([row])[0].value != expected


def test_alpha_scales_the_adapter(pllava: Build) -> None:
    row = pllava().prepare(golden_clip("d_1280x720"))
    by_alpha = {alpha: pllava(lora_alpha=alpha).annotate([row])[0].value for alpha in (None, 4, 400)}
    assert by_alpha[None] == by_alpha[4] != by_alpha[400]


def copy_processors(folder: Path) -> None:
    for name in (
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "preprocessor_config.json",
    ):
        shutil.copy(MODELS / "pllava_full56" / name, folder)
