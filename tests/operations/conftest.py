import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest


@pytest.fixture(scope="session")
def empty_history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of an instance on which nothing has happened: to copy them is quicker than to make them."""
    folder = tmp_path_factory.mktemp("history")
    with dg.instance_for_test(temp_dir=str(folder)) as instance:
        instance.get_runs()
        instance.all_instigator_state()
    return folder


@pytest.fixture
def instance(empty_history: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    folder = tmp_path_factory.mktemp("instance")
    shutil.copytree(empty_history, folder, dirs_exist_ok=True)
    with dg.instance_for_test(temp_dir=str(folder)) as instance:
        yield instance


@pytest.fixture(autouse=True)
def no_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIDCAP_AUTOMATION", "VIDCAP_HOME", "VIDCAP_SOURCE", "VIDCAP_HOST"):
        monkeypatch.delenv(name, raising=False)
