"""What the file says holds; a run's configuration changes only the fields that it names."""

from typing import Literal

import dagster as dg
import pytest
from pydantic import Field

from resources.annotation.block import Block
from vidcap_assets.collection.overrides import overridable
from vidcap_assets.collection.settings import CollectionError


class Inner(Block):
    a: int = 1


class Settings(Block):
    kind: Literal["settings"] = "settings"
    model: str | None = None
    num_frames: int = Field(default=1, gt=0)
    detail: Literal["low", "high"] = "low"
    shape: list[int] | None = None
    prompt: str | dict[str, str] | None = None
    inner: Inner = Inner()


BLOCK = Settings(
    model="m", num_frames=4, detail="high", shape=[1, 2], prompt={"video": "v"}, inner=Inner(a=5)
)


def handed_out(config: dict | None) -> Settings:
    seen = []

    @dg.asset(required_resource_keys={"it"})
    def look(context: dg.AssetExecutionContext) -> None:
        seen.append(context.resources.it)

    run_config = {"resources": {"it": {"config": config}}} if config is not None else None
    dg.materialize([look], resources={"it": overridable(BLOCK)}, run_config=run_config)
    return seen[0]


def test_without_run_configuration_the_file_holds() -> None:
    assert handed_out(None) == BLOCK


def test_one_configured_field_leaves_the_others_in_force() -> None:
    assert handed_out({"num_frames": 7}) == BLOCK.model_copy(update={"num_frames": 7})
    assert handed_out({"prompt": "p"}) == BLOCK.model_copy(update={"prompt": "p"})


@pytest.mark.parametrize(
    ("config", "words"), [({"num_frames": 0}, "num_frames"), ({"detail": "best"}, "detail")]
)
def test_a_wrong_value_is_refused_in_a_sentence(config: dict, words: str) -> None:
    with pytest.raises(dg.DagsterError) as caught:
        handed_out(config)
    assert isinstance(caught.value.__cause__, CollectionError)
    assert str(caught.value.__cause__).startswith(f"run configuration, {words}: ")
