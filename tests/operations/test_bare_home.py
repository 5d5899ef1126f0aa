"""A DAGSTER_HOME that nobody has set up is as protected as the one of this repository."""

from pathlib import Path

import dagster as dg
import pytest

from vidcap_assets.automation.reaper import reaper_sensor, unprotected
from vidcap_assets.cli.job_run import SETTINGS, dagster_environment, instance
from vidcap_assets.dagster_private import instance_of_this_folder


def test_a_bare_home_gets_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "not there yet"))
    with instance() as history:
        assert unprotected(history) == []
        assert not history.telemetry_enabled
        assert not history.nux_enabled
        assert history.get_concurrency_config().pool_config.default_pool_limit == 1
        assert history.run_retries_enabled
    assert (tmp_path / "not there yet" / "dagster.yaml").read_text() == SETTINGS.read_text()


def test_somebody_elses_settings_are_left_alone_and_what_they_lack_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "dagster.yaml"
    theirs.write_text("run_retries: {enabled: true}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert dagster_environment()["DAGSTER_HOME"] == str(tmp_path)
    assert theirs.read_text() == "run_retries: {enabled: true}\n"
    with instance_of_this_folder("vidcap") as history:
        (sentence,) = unprotected(history)
        assert "no pool has a limit" in sentence
        tick = reaper_sensor.evaluate_tick(dg.build_sensor_context(history))
        assert sentence in str(tick.skip_message)
        history.event_log_storage.set_concurrency_slots("gpu", 8)
        assert unprotected(history) == []
