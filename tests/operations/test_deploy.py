"""The deployment files: the same settings as the root's, no port open to the world, no secret in them."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose"


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


def test_compose_differs_from_the_root_in_where_the_history_is_and_nothing_else():
    ours, root = read(COMPOSE / "dagster.yaml"), read(ROOT / "dagster.yaml")
    where = {"storage", "compute_logs", "local_artifact_storage"}
    assert {name: ours[name] for name in ours.keys() - where} == {
        name: root[name] for name in root.keys() - where
    }


def test_compose_publishes_only_to_this_machine_and_holds_no_secret():
    services = read(COMPOSE / "compose.yaml")["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:3000:3000"]
    settings = dict(
        line.split("=", 1)
        for line in (COMPOSE / ".env.example").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    assert settings["DAGSTER_PG_PASSWORD"] == settings["OPENAI_API_KEY"] == ""
    assert settings["VIDCAP_AUTOMATION"] == "off"


@pytest.mark.parametrize(
    "unit", sorted((ROOT / "deploy" / "systemd").glob("*.service")), ids=lambda path: path.stem
)
def test_units_listen_on_the_loopback_address_as_a_user_of_their_own(unit: Path):
    text = unit.read_text()
    assert "User=vidcap" in text
    assert set(re.findall(r"-h (\S+)", text)) <= {"127.0.0.1"}


def test_the_guide_names_every_error_kind_and_every_variable():
    from resources.annotation.outcome import ErrorKind

    guide = (ROOT / "docs" / "operations.md").read_text()
    rows = set(re.findall(r"^\| `(\w+)` \| (?:final|left|tried)", guide, re.MULTILINE))
    assert rows == {str(kind) for kind in ErrorKind}
    for kind in ErrorKind:
        word = "final" if kind.is_final else "left to do" if kind.fails_shard else "tried again by every run"
        assert f"| `{kind}` | {word} |" in guide
    for variable in ("VIDCAP_AUTOMATION", "VIDCAP_LOOK_EVERY_S", "VIDCAP_SHARDS_PER_RUN", "VIDCAP_HOST"):
        assert f"`{variable}`" in guide
