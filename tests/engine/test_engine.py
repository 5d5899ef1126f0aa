from pathlib import Path

import pytest
import torch

from resources.annotation.outcome import AnnotatorError
from resources.engine.device_lease import lease_devices
from resources.engine.engine import Engine, to_device
from resources.engine.model_annotator import LazyEngine
from resources.engine.model_spec import ChatSpec
from resources.engine.placement import Placement
from resources.engine.rows import Row
from tests.golden.tiny_models import write_chat_model

ROWS = [Row({"input_ids": torch.tensor([[1, 50, 60]])}), Row({"input_ids": torch.tensor([[1, 70]])})]


@pytest.fixture
def spec(tmp_path: Path) -> ChatSpec:
    return ChatSpec(folder=write_chat_model(tmp_path / "chat"), placement=Placement.choose("cpu"))


def test_memory_that_runs_out_is_told_and_the_engine_lives_on(
    spec: ChatSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(spec)
    forward = type(engine.model).forward

    def too_much(model: object, *arguments: object, **named: torch.Tensor) -> object:
        if named["input_ids"].shape[0] > 1:
            raise torch.OutOfMemoryError("tried to allocate 3 GiB")
        return forward(model, *arguments, **named)

    monkeypatch.setattr(type(engine.model), "forward", too_much)
    with pytest.raises(torch.OutOfMemoryError, match="3 GiB"):
        engine.generate(ROWS, 4)
    assert len(engine.generate(ROWS[:1], 4)) == 1


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("40 GiB"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_weights_that_do_not_fit_blame_no_clip(
    error: Exception, spec: ChatSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every clip would load the model once more, to fail alone."""

    def load(*arguments: object) -> object:
        raise error

    monkeypatch.setattr(ChatSpec, "load", load)
    with pytest.raises(AnnotatorError, match=r"do not fit on cpu: .* tensor_parallel_size"):
        Engine(spec)


def test_a_library_that_finds_no_memory_for_itself_halves_the_batch(
    spec: ChatSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(spec)

    def no_room(*arguments: object, **named: object) -> object:
        raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)")

    monkeypatch.setattr(type(engine.model), "forward", no_room)
    with pytest.raises(torch.OutOfMemoryError):
        engine.generate(ROWS, 4)


def test_a_broken_device_stops_the_annotator_and_blames_no_clip(
    spec: ChatSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(spec)

    def broken(*arguments: object, **named: object) -> object:
        raise torch.AcceleratorError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(type(engine.model), "forward", broken)
    with pytest.raises(AnnotatorError, match=r"device cpu failed.*device-side assert"):
        engine.generate(ROWS, 4)


def test_no_gradient_is_kept(spec: ChatSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(spec)
    forward, modes = type(engine.model).forward, []

    def watch(model: object, *arguments: object, **named: object) -> object:
        modes.append((torch.is_inference_mode_enabled(), engine.model.training))
        return forward(model, *arguments, **named)

    monkeypatch.setattr(type(engine.model), "forward", watch)
    engine.generate(ROWS, 3)
    assert set(modes) == {(True, False)}


def test_pixels_take_the_models_numbers_and_tokens_stay_whole() -> None:
    batch = to_device(
        {"a": torch.ones(1), "b": torch.ones(1, dtype=torch.long)}, torch.device("cpu"), torch.bfloat16
    )
    assert (batch["a"].dtype, batch["b"].dtype) == (torch.bfloat16, torch.long)


def test_the_model_loads_once_on_first_use_and_again_after_closing(
    spec: ChatSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, loads = ChatSpec.load, []
    monkeypatch.setattr(ChatSpec, "load", lambda *arguments: loads.append(1) or load(*arguments))
    lazy = LazyEngine(spec.placement, max_new_tokens=3)
    assert not loads
    lazy.generate(spec, ROWS)
    lazy.generate(spec, ROWS)
    assert len(loads) == 1
    lazy.close()
    lazy.generate(spec, ROWS)
    assert len(loads) == 2


def test_several_devices_share_the_layers_by_their_free_memory(
    spec: ChatSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two leased devices of three: the third is somebody else's."""
    free = {0: 8 * 2**30, 2: 4 * 2**30}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free[device.index], 16 * 2**30))
    arguments = spec.loading_arguments([torch.device("cuda", 0), torch.device("cuda", 2)])
    assert arguments["device_map"] == "balanced"
    assert set(arguments["max_memory"]) == {0, 2}
    assert all(0 < arguments["max_memory"][index] <= free[index] for index in free)
    assert spec.loading_arguments([torch.device("cpu")])["device_map"] == {"": torch.device("cpu")}


def test_devices_are_given_back_with_the_engine(spec: ChatSpec, tmp_path: Path) -> None:
    lease = lease_devices(["a", "b"], 2, folder=tmp_path / "leases")
    Engine(spec, lease=lease).close()
    lease_devices(["a", "b"], 2, timeout_s=0, folder=tmp_path / "leases").release()
