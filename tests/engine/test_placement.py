from typing import Any

import pytest

from resources.annotation.outcome import AnnotatorError
from resources.engine.checkpoint import Checkpoint
from resources.engine.placement import Placement, cuda_is_usable


@pytest.mark.parametrize("hidden", ["", "-1", " "])
def test_hidden_devices_are_not_used(hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert not cuda_is_usable()
    assert Placement.choose() == Placement("cpu", "float32", "sdpa")


def test_a_device_brings_its_number_type() -> None:
    assert Placement.choose("cuda") == Placement("cuda", "bfloat16", "sdpa")
    assert Placement.choose("cuda:3", "float16", "eager") == Placement("cuda:3", "float16", "eager")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "tpu"}, "device 'tpu' is unknown"),
        ({"device": "cpu", "attention": "flash_attention_2"}, "needs a CUDA device"),
        ({"device": "cuda", "dtype": "float32", "attention": "flash_attention_2"}, "half precision only"),
        ({"device": "cuda:0", "tensor_parallel_size": 2}, "spreads a model over GPUs"),
        ({"device": "cpu", "tensor_parallel_size": 2}, "spreads a model over GPUs"),
    ],
)
def test_what_cannot_be_computed_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(AnnotatorError, match=message):
        Placement.choose(**settings)


def test_a_missing_gpu_is_told_before_anything_loads() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(AnnotatorError, match="sees no CUDA device"):
        Placement.choose("cuda").check_runtime()


@pytest.mark.parametrize("model", ["nowhere", "a/b/c", "/no/such/folder"])
def test_what_is_no_model_is_refused(model: str) -> None:
    with pytest.raises(AnnotatorError, match="neither a folder nor a hub id") as refused:
        Checkpoint.locate(model)
    assert not refused.value.retryable


def test_a_hub_id_may_name_a_revision() -> None:
    checkpoint = Checkpoint.locate("ermu2001/pllava-13b@abc123")
    assert (checkpoint.source, checkpoint.revision, checkpoint.local) == (
        "ermu2001/pllava-13b",
        "abc123",
        False,
    )


def test_an_unreachable_hub_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(AnnotatorError, match=r"cannot get the model 'owner/name' from the hub.*local folder"):
        Checkpoint.locate("owner/name").identity(tmp_path)
