"""A secret is kept by its name: what may be written for it, and what is shown of it."""

import pytest
from pydantic import ValidationError

from resources.annotation.block import Block
from resources.annotation.secret import RUN_CONFIGURATION, Secret

VALUE = "sk-secret-0123456789"


class Settings(Block):
    key: Secret = Secret("A_KEY")


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("B_KEY", VALUE)


def test_the_name_is_kept_and_the_value_is_read_when_it_is_used(monkeypatch):
    settings = Settings.model_validate({"key": "{{ env.B_KEY }}"})
    assert settings.key == Secret("B_KEY")
    assert settings.key.value() == VALUE
    monkeypatch.setenv("B_KEY", "another")
    assert settings.key.value() == "another"
    monkeypatch.delenv("B_KEY")
    assert settings.key.value() is None


def test_nothing_that_shows_the_settings_shows_the_value():
    settings = Settings.model_validate({"key": "{{env.B_KEY}}"})
    assert settings.model_dump() == settings.shown() == {"key": "{{ env.B_KEY }}"}
    assert Settings.model_validate(settings.model_dump()) == settings
    assert VALUE not in repr(settings) + str(settings.key) + settings.model_dump_json()


def test_it_may_be_left_out():
    assert Settings().key.name == "A_KEY"
    assert Settings().model_dump() == {"key": "{{ env.A_KEY }}"}


@pytest.mark.parametrize(
    "written", [VALUE, "", "Bearer {{ env.B_KEY }}", "${B_KEY}", 7, None, {"env": "B_KEY"}]
)
def test_anything_else_is_refused_without_repeating_it(written):
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"key": written})
    message = refused.value.errors(include_url=False)[0]["msg"]
    assert "written out" in message
    assert VALUE not in message


def test_a_run_may_name_it_in_dagsters_way_which_leaves_the_value_here():
    read = Settings.model_validate({"key": VALUE}, context=RUN_CONFIGURATION)
    assert read.key == Secret("B_KEY")
    with pytest.raises(ValidationError, match="written out"):
        Settings.model_validate({"key": "sk-literal-of-nobody"}, context=RUN_CONFIGURATION)
