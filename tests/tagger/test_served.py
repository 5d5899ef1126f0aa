"""The embedded tagger behind `transformers serve` gives the tags that it gives in process."""

import shlex
import sys
from pathlib import Path

import pytest
from upath import UPath

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip
from resources.annotation.declaration import Scene
from resources.annotation.loop import LoopOptions, annotate_shard
from resources.annotation.outcome import AnnotatorError
from resources.annotation.store import ShardStore
from resources.engine.settings import EMBEDDED
from resources.lake.lake import Lake
from resources.tagger.kind import Tags

SERVE = (
    shlex.join([sys.executable, "-m", "transformers.cli.transformers", "serve"])
    + " {model} --host 127.0.0.1 --port {port} --device cpu --dtype float32"
)
TEXTS = (
    "A small red circle moves from left to right on a white background.",
    "A blue square stays still on a black background.",
    "A green triangle grows.",
)


def scene(home: Path) -> Scene:
    return Scene(None, None, Lake(UPath(home)), "run", print)  # type: ignore[arg-type]  # tags read no frames


def tags_of(annotator: Annotator, folder: Path) -> list[str]:
    clips = [Clip(f"c{n}", Path("c.mp4"), content_id=f"k{n}", text=text) for n, text in enumerate(TEXTS)]
    store = ShardStore(UPath(folder / "l.parquet"), UPath(folder / "j"), shard="s", recipe=annotator.recipe)
    return annotate_shard(annotator, clips, store, LoopOptions()).outcomes["value"].to_pylist()


def test_served_tags_equal_those_in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fastapi", reason="transformers serve needs the extra transformers[serving]")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = str(EMBEDDED / "tiny-tagger")
    found: dict[str, list[list[str]]] = {}
    for way, serve in (("in-process", None), ("served", SERVE)):
        entry = Tags(model=model, serve=serve, device="cpu", batch_size=2)
        with entry.open(scene(tmp_path / way)) as annotators:
            found[way] = [tags_of(one, tmp_path / way / name) for name, one in annotators.items()]
    assert found["served"] == found["in-process"]
    assert '["circle"]' in found["served"][0]
    (log,) = (tmp_path / "served" / "logs").iterdir()
    assert log.read_text().count("Started server process") == 1, "one server for both kinds of tags"


def test_tags_that_may_cost_money_are_asked_for_by_name(tmp_path: Path) -> None:
    entry = Tags(model="gpt-4o-mini", base_url="https://api.openai.com/v1")
    with pytest.raises(AnnotatorError, match="paid: true"), entry.open(scene(tmp_path)):
        pass


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"serve": "vllm serve {model}"}, "serve needs {port}"),
        ({"serve": "vllm serve {model} --port {port}", "base_url": "http://gpu:8000/v1"}, "not both"),
    ],
)
def test_a_server_is_named_in_one_way(said: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Tags.model_validate({"model": "m", **said})
