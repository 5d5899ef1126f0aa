"""What the resource gpt4v makes of its configuration before anything is sent."""

import pytest

from resources.annotation.outcome import AnnotatorError
from resources.lake.lake import Lake
from resources.warehouse import Warehouse
from vidcap_assets.collection.blocks import Gpt4vResource, LlavaResource

BUCKET = "memory://bucket/home"


def test_a_budget_on_an_object_store_is_refused_and_without_one_the_home_may_be_there():
    lake = Lake(BUCKET)
    with pytest.raises(AnnotatorError, match="max_cost_usd needs VIDCAP_HOME on a file system") as refused:
        Gpt4vResource(max_cost_usd=1.0).captioner(None, lake, "run")
    assert not refused.value.retryable
    Gpt4vResource(batch_api=True).captioner(None, lake, "run").close()


def test_a_home_on_an_object_store_leaves_no_folder_of_that_name_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIDCAP_CACHE", str(tmp_path / "cache"))
    LlavaResource().captioner(None, Lake(BUCKET), "run").close()
    Gpt4vResource().captioner(None, Lake(BUCKET), "run").close()
    assert {path.name for path in tmp_path.iterdir()} <= {"cache"}


def test_a_duckdb_file_on_an_object_store_is_refused():
    with pytest.raises(ValueError, match="set VIDCAP_WAREHOUSE"):
        Warehouse(f"{BUCKET}/vidcap.duckdb")


def test_a_key_that_is_written_out_is_refused_and_not_repeated(tmp_path, monkeypatch):
    with pytest.raises(AnnotatorError, match=r"give it as \{env: OPENAI_API_KEY\}") as refused:
        Gpt4vResource(api_key="sk-written-out").captioner(None, Lake(tmp_path), "run")
    assert "sk-written-out" not in str(refused.value)
    monkeypatch.setenv("SOME_KEY", "sk-written-out")
    Gpt4vResource(api_key="sk-written-out").captioner(None, Lake(tmp_path), "run").close()
