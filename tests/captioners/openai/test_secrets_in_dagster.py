"""The key in a run by Dagster: what it stores, shows and logs of one, however the run ends."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from misbehaving_server import KEY, Act, error, picture
from PIL import Image
from test_secrets import ECHO

from resources.lake.indexing import index_source
from resources.lake.lake import Lake
from resources.lake.meta import probe_clips
from resources.source.source import survey
from resources.video import IsolatedWorkers
from vidcap_assets.collection.settings import CollectionSettings, model
from vidcap_assets.component import Collection

CLIPS = 10
SHARD = "shard-00000"
FAULTS_OF_CLIPS = [
    error(400, message="x" * 280 + ECHO),
    error(500, message=ECHO),
    Act(500, ECHO.encode()),
    Act(body=f'{{"choices": "{KEY}'.encode()),
    Act(body={"error": ECHO}),
    Act(drop=True),
    Act(stall_s=9),
]


def _collection(home: Path, base_url: str) -> CollectionSettings:
    entry = {
        "kind": "openai",
        "name": "gpt4v",
        "paid": True,
        "model": "test-model",
        "base_url": base_url,
        "num_frames": 1,
        "timeout_s": 0.5,
        "max_attempts": 1,
        "max_cost_usd": 9.0,
        "prices": {"test-model": {"input": 10.0, "output": 100.0}},
    }
    return model(["openai"]).model_validate(
        {"home": str(home), "source": "/nowhere", "decode": {"workers": 1}, "annotators": [entry]}
    )


class Runs:
    """Runs of captions_gpt4v over a few images, on a Dagster instance with files."""

    def __init__(self, folder: Path, base_url: str) -> None:
        self.folder = folder
        self.collection = _collection(folder / "home", base_url)
        self._lake = Lake(folder / "home")
        source = folder / "source"
        source.mkdir()
        for number in range(CLIPS):
            Image.fromarray(picture(number)).save(source / f"{number}.png")
        with IsolatedWorkers(1) as workers:
            indexed = index_source(self._lake, lambda: survey(source), CLIPS, workers)
            for shard, clips in indexed.written.items():
                self._lake.write_meta(shard, probe_clips(clips, workers))
        (folder / "dagster").mkdir()
        self.instance = dg.DagsterInstance.local_temp(str(folder / "dagster"))
        self.instance.add_dynamic_partitions(self.collection.shards.name, [SHARD])

    def run(self, **gpt4v: object) -> dg.ExecuteInProcessResult:
        defs = Collection(self.collection).build_defs()
        job = defs.resolve_job_def("caption_videos_gpt4v")
        return job.execute_in_process(
            instance=self.instance,
            tags={"dagster/partition": SHARD},
            asset_selection=[self.collection.key("captions_gpt4v")],
            run_config={
                "resources": {"gpt4v": {"config": gpt4v}},
                "execution": {"config": {"in_process": {}}},
            },
            raise_on_error=False,
        )

    def everything_kept(self) -> dict[str, str]:
        """All files of instance and lake, and what is stored in them compressed, by where it is."""
        kept = {
            str(path): path.read_bytes().decode("latin-1")
            for path in self.folder.rglob("*")
            if path.is_file()
        }
        for run in self.instance.get_runs():
            kept[f"run {run.run_id}"] = dg.serialize_value(run)
            for snapshot in (
                self.instance.get_job_snapshot(run.job_snapshot_id),
                self.instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id),
            ):
                kept[f"{type(snapshot).__name__} of {run.run_id}"] = dg.serialize_value(snapshot)
            for entry in self.instance.all_logs(run.run_id):
                kept[f"log {len(kept)}"] = dg.serialize_value(entry)
        return kept


@pytest.fixture
def runs(tmp_path, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    # Steps are tried again as in the product, but at once.
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda policy, attempt: 0)
    made = Runs(tmp_path, server.base_url)
    yield made
    made.instance.dispose()


def said_of(result):
    return " ".join(
        str(event.step_failure_data.error) for event in result.all_events if event.is_step_failure
    )


def test_dagster_neither_stores_nor_shows_nor_logs_the_key_of_runs_that_fail(
    runs, server, everything_logged, capfd
):
    server.script = {number: [act] * 9 for number, act in enumerate(FAULTS_OF_CLIPS)}
    assert "clips left to do" in said_of(runs.run())
    server.script = {}
    for act, sentence in (
        (error(401, "invalid_api_key", ECHO), "refused the API key"),
        (error(500, message=ECHO), "clips in a row failed"),
    ):
        server.default = act
        assert sentence in said_of(runs.run(num_frames=2))
    server.default = error(400, message=ECHO)
    assert "run again later" in said_of(runs.run(batch_api=True, max_tokens=9))
    server.end_batches()
    runs.run(batch_api=True, max_tokens=9)
    kept = runs.everything_kept()
    kept["repository, as the UI shows it"] = dg.serialize_value(
        RepositorySnap.from_def(Collection(runs.collection).build_defs().get_repository_def())
    )
    kept |= dict(zip(("stdout", "stderr"), capfd.readouterr(), strict=True))
    kept["log"] = everything_logged.text
    assert server.keys == {f"Bearer {KEY}"}
    assert len([name for name in kept if name.startswith("log ")]) > 50
    assert "OPENAI_API_KEY" in kept["repository, as the UI shows it"]
    assert [name for name, text in kept.items() if KEY in text or KEY[:15] in text] == []


def test_a_run_may_name_the_variable_of_the_key_in_dagsters_way(runs, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    monkeypatch.setenv("OTHER_KEY", KEY)
    assert runs.run(api_key={"env": "OTHER_KEY"}).success
    assert server.keys == {f"Bearer {KEY}"}


def test_a_key_written_out_for_a_run_is_refused_before_anything_is_sent(runs, server):
    result = runs.run(api_key="sk-written-out-0123")
    assert not result.success
    said = " ".join(str(event.event_specific_data) for event in result.all_events if event.is_failure)
    assert "written out" in said
    assert not server.received
