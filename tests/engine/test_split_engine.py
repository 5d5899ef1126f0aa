"""A model split over two processes answers as in one, and nothing hangs or stays behind when a part is lost."""

import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from resources.annotation.outcome import AnnotatorError
from resources.captioners.llava import LlavaCaptioner
from resources.captioners.pllava import PllavaCaptioner
from resources.engine.engine import LocalEngine
from resources.engine.placement import Placement
from resources.engine.rank_messages import Failed
from resources.engine.rows import Row
from resources.engine.split_engine import SplitEngine
from resources.tagger import TagAnnotator, Tagger
from resources.tagger.tagger_model import ChatSpec
from tests.golden import MODELS, PngReader, golden_cases, golden_clip, golden_system
from tests.golden.tiny_models import write_chat_model

ROWS = [Row({"input_ids": torch.tensor([ids])}) for ids in ([1, 50, 60], [1, 70], [1, 80, 90, 100, 110])]
TWO = Placement.choose("cpu", tensor_parallel_size=2)


@dataclass(frozen=True, kw_only=True)
class FaultySpec(ChatSpec):
    """A chat model whose second rank goes wrong while it computes."""

    fault: str

    def load(self, device: torch.device) -> Any:
        model = super().load(device)
        if os.environ["RANK"] == "1":
            forward = model.forward

            def faulty(*arguments: Any, **named: Any) -> Any:
                if self.fault == "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                if self.fault == "out of memory":
                    raise torch.OutOfMemoryError("tried to allocate 3 GiB")
                if self.fault == "error":
                    raise ZeroDivisionError("a bug")
                if self.fault == "hangs":
                    time.sleep(3600)
                return forward(*arguments, **named)

            model.forward = faulty
        return model


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("models") / "chat")


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 90
    while any(
        psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids
    ):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_a_split_language_model_writes_the_same_ids_and_leaves_no_process(chat: Path) -> None:
    one = LocalEngine(ChatSpec(folder=chat, placement=Placement.choose("cpu")), torch.device("cpu"))
    split = SplitEngine(ChatSpec(folder=chat, placement=TWO))
    expected = [made.ids for made in one.generate(ROWS, 12)]
    assert [made.ids for made in split.generate(ROWS, 12)] == expected
    pids = split.process_ids
    assert len(pids) == 2
    assert [made.ids for made in split.generate(ROWS[:1], 12)] == expected[:1]
    assert split.process_ids == pids
    split.close()
    assert gone(pids)


@pytest.mark.parametrize(
    "key",
    [
        "base336_loradir_4-12-12/a_96x64",
        pytest.param("full56_lora_4-2-2/a_96x64+b_64x64", marks=pytest.mark.slow),
    ],
)
def test_a_split_pllava_gives_the_golden_ids(key: str, tmp_path: Path) -> None:
    case = next(case for case in golden_cases() if case["key"] == key)
    captioner = PllavaCaptioner(
        PngReader(),
        model=MODELS / case["repo"],
        adapter=MODELS / case["weight_dir"],
        num_frames=case["num_frames"],
        pooling_shape=case["pooling_shape"],
        prompt=golden_system(),
        max_new_tokens=32,
        device="cpu",
        tensor_parallel_size=2,
        cache=tmp_path,
    )
    rows = [captioner.prepare(golden_clip(name)) for name in case["clips"]]
    made = captioner.engine.generate(captioner.model_spec(), rows)
    captioner.close()
    assert [list(generation.ids) for generation in made] == case["new_ids"]


RANK = """
import os, pickle, sys, time
from multiprocessing.connection import Connection
from resources.engine.rank_messages import Failed, Generated, Ready
connection, second = Connection(int(sys.argv[1])), os.environ["RANK"] == "1"
receive = connection.recv_bytes
send = lambda message: connection.send_bytes(pickle.dumps(message))
"""
PATIENT = (60, 60)
STARTED = "receive(); send(Ready()); "


@pytest.mark.parametrize(
    ("doing", "timeouts", "error", "message"),
    [
        (
            "sys.exit('no such library')",
            PATIENT,
            AnnotatorError,
            r"exited with 1; it wrote:\nno such library",
        ),
        (
            "receive(); time.sleep(600)",
            (1, 60),
            AnnotatorError,
            r"rank\(s\) 0, 1 have not loaded the model within 1 s",
        ),
        (
            "receive(); send(Failed('3 missing')); time.sleep(600)",
            PATIENT,
            AnnotatorError,
            "rank . failed: 3 missing",
        ),
        (STARTED + "time.sleep(600)", (60, 1), AnnotatorError, "rank 0 has not taken its work within 1 s"),
        (
            STARTED + "receive(); time.sleep(600)",
            (60, 1),
            AnnotatorError,
            r"rank\(s\) 0, 1 have not answered within 1 s",
        ),
        (
            STARTED + "receive(); second and os.kill(os.getpid(), 9); time.sleep(600)",
            PATIENT,
            AnnotatorError,
            "a part of the split model is lost: rank 1 ended by signal 9",
        ),
        (
            STARTED + "receive(); second and send(Failed('3 GiB', out_of_memory=True)); time.sleep(600)",
            PATIENT,
            torch.OutOfMemoryError,
            "rank 1: 3 GiB",
        ),
        (
            STARTED + "receive(); send(Failed('KeyError: 7', computing=True))",
            PATIENT,
            RuntimeError,
            "KeyError: 7",
        ),
    ],
    ids=["dead", "slow", "no weights", "deaf", "mute", "killed", "full", "poison"],
)
def test_whatever_a_part_does_the_batch_ends_with_a_reason_and_no_process_is_left(
    doing: str,
    timeouts: tuple[float, float],
    error: type[Exception],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ranks that load no library, so that all there is to go wrong can be tried."""
    python, program = tmp_path / "python", tmp_path / "rank.py"
    program.write_text(RANK + doing)
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(program))} "$3"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    engine = SplitEngine(
        ChatSpec(folder=tmp_path, placement=TWO), start_timeout_s=timeouts[0], answer_timeout_s=timeouts[1]
    )
    pids: list[int] = []
    start_rank = engine._start_rank
    monkeypatch.setattr(
        engine, "_start_rank", lambda *given: pids.append((made := start_rank(*given)).process.pid) or made
    )
    large = Row({"input_ids": torch.zeros((1, 1_000_000), dtype=torch.long)})
    with pytest.raises(error, match=message):
        engine.generate([large], 4)
    assert engine.process_ids == []
    assert len(pids) == 2
    assert gone(pids)


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("out of memory", torch.OutOfMemoryError, "rank 1: tried to allocate 3 GiB"),
        pytest.param(
            "killed",
            AnnotatorError,
            "a part of the split model is lost: rank 1 ended by signal 9",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "error", AnnotatorError, "rank 1 failed: ZeroDivisionError: a bug", marks=pytest.mark.slow
        ),
        pytest.param(
            "hangs",
            AnnotatorError,
            r"rank\(s\) 0, 1 have not answered within 2 s",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_lost_part_fails_the_batch_with_its_reason(
    fault: str, error: type[Exception], message: str, chat: Path
) -> None:
    engine = SplitEngine(
        FaultySpec(folder=chat, placement=TWO, fault=fault), answer_timeout_s=2 if fault == "hangs" else 120
    )
    engine._start()
    pids = engine.process_ids
    with pytest.raises(error, match=message):
        engine.generate(ROWS, 4)
    assert engine.process_ids == []
    assert gone(pids)


@pytest.mark.slow
def test_weights_that_do_not_fit_are_told_by_the_rank_that_meets_them(tmp_path: Path) -> None:
    folder = write_chat_model(tmp_path / "chat")
    (folder / "model.safetensors").write_bytes(b"nothing")
    engine = SplitEngine(ChatSpec(folder=folder, placement=TWO))
    with pytest.raises(AnnotatorError, match=r"rank . failed"):
        engine.generate(ROWS, 4)
    assert engine.process_ids == []


@pytest.mark.parametrize(
    ("failures", "error"),
    [
        ([Failed("KeyError: 7", computing=True)] * 2, RuntimeError),
        ([Failed("KeyError: 7", computing=True), Failed("gone", lost_others=True)], AnnotatorError),
        ([Failed("no weights")] * 2, AnnotatorError),
        ([Failed("full", out_of_memory=True), Failed("gone", lost_others=True)], torch.OutOfMemoryError),
    ],
)
def test_only_what_all_parts_meet_alike_may_be_a_clips_fault(
    failures: list[Failed], error: type[Exception], tmp_path: Path
) -> None:
    engine = SplitEngine(ChatSpec(folder=tmp_path, placement=TWO))
    assert type(engine._root_cause(dict(enumerate(failures)), {0, 1})) is error


PARENT = """
import sys, threading, time
from pathlib import Path
from resources.engine.placement import Placement
from resources.engine.split_engine import SplitEngine
from resources.tagger.tagger_model import ChatSpec
engine = SplitEngine(ChatSpec(folder=Path(sys.argv[1]), placement=Placement.choose("cpu", tensor_parallel_size=2)))
threading.Thread(target=engine._start, daemon=True).start()
while len(engine.process_ids) < 2:
    time.sleep(0.05)
print(*engine.process_ids, flush=True)
time.sleep(600)
"""


def test_ranks_end_when_their_parent_is_killed(chat: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(chat)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    parent.kill()
    parent.wait()
    assert gone(pids)


def test_split_llava_and_tags_are_configured_like_any_other(tmp_path: Path, chat: Path) -> None:
    llava = LlavaCaptioner(
        PngReader(),
        model=MODELS / "llava_next_mistral336",
        tensor_parallel_size=2,
        device="cpu",
        cache=tmp_path,
    )
    tags = TagAnnotator("objects", Tagger(model=chat, tensor_parallel_size=2, device="cpu", cache=tmp_path))
    assert llava.engine.placement.parts == tags.engine.placement.parts == 2
    assert (
        llava.recipe.fingerprint
        == LlavaCaptioner(
            PngReader(), model=MODELS / "llava_next_mistral336", device="cpu", cache=tmp_path
        ).recipe.fingerprint
    )
