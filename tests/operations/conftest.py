from collections.abc import Iterator

import dagster as dg
import pytest


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture(autouse=True)
def no_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIDCAP_AUTOMATION", "VIDCAP_HOME", "VIDCAP_SOURCE", "VIDCAP_HOST"):
        monkeypatch.delenv(name, raising=False)
