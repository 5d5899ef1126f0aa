"""The deployment files: the same settings as the package's, no port open to the world, no secret in them."""

import os
import re
import subprocess
from pathlib import Path

import click
import pytest
import yaml
from dagster._cli import create_dagster_cli
from dagster._daemon.cli import create_dagster_daemon_cli
from dagster_webserver.cli import create_dagster_webserver_cli

from vidcap_assets.cli.job_run import SETTINGS

ROOT = Path(__file__).parents[2]
COMPOSE, SYSTEMD = ROOT / "deploy" / "compose", ROOT / "deploy" / "systemd"
PROGRAMS = {
    "dagster": create_dagster_cli,
    "dagster-webserver": create_dagster_webserver_cli,
    "dagster-daemon": create_dagster_daemon_cli,
}


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


def variables(path: Path) -> dict[str, str]:
    """The settings of an environment file."""
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def parse(command: list[str], folder: Path) -> None:
    """Take a command line as the program itself would, without running it; fails where it would.

    A path of the installation stands for the file of that name in ``folder``.
    """
    program: click.Command = PROGRAMS[Path(command[0]).name]()
    arguments = [str(folder / Path(word).name) if word.startswith("/") else word for word in command[1:]]
    parent = None
    while isinstance(program, click.Group):
        parent = program.make_context(command[0], arguments, parent=parent)
        _, program, arguments = program.resolve_command(parent, [*parent.protected_args, *parent.args])
    program.make_context(command[0], arguments, parent=parent)


@pytest.mark.parametrize("folder", [COMPOSE, ROOT], ids=lambda folder: folder.name)
def test_settings_differ_from_the_packages_in_where_the_history_is_and_nothing_else(folder: Path):
    ours, root = read(folder / "dagster.yaml"), read(SETTINGS)
    where = {"storage", "compute_logs", "local_artifact_storage"}
    assert {name: ours[name] for name in ours.keys() - where} == root


def test_compose_publishes_only_to_this_machine_and_holds_no_secret():
    services = read(COMPOSE / "compose.yaml")["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:3000:3000"]
    settings = variables(COMPOSE / ".env.example")
    assert settings["DAGSTER_PG_PASSWORD"] == settings["OPENAI_API_KEY"] == ""
    assert settings["VIDCAP_AUTOMATION"] == "off"


def test_compose_is_complete():
    text = (COMPOSE / "compose.yaml").read_text()
    content, settings = yaml.safe_load(text), variables(COMPOSE / ".env.example")
    services, volumes = content["services"], content["volumes"].keys()
    asked = {name for name, default in re.findall(r"\$\{(\w+)(:-)?", text) if not default}
    asked |= set(re.findall(r"env: (\w+)", (COMPOSE / "dagster.yaml").read_text()))
    assert asked <= settings.keys()
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= services.keys(), name
        for source in (volume.split(":")[0] for volume in service.get("volumes", [])):
            assert source in volumes or source.startswith("${") or (COMPOSE / source).is_file(), source
        assert "image" in service or "build" in service
        if "command" in service:
            parse(service["command"], COMPOSE)
    build = services["code"]["build"]
    context = (COMPOSE / build["context"]).resolve()
    for source in re.findall(r"^COPY (.+) \S+$", (context / build["dockerfile"]).read_text(), re.MULTILINE):
        assert all((context / one).exists() for one in source.split()), source
    (server,) = (one["grpc_server"] for one in read(COMPOSE / "workspace.yaml")["load_from"])
    command = services[server["host"]]["command"]
    assert command[command.index("-p") + 1] == str(server["port"])
    assert services["postgres"]["environment"].keys() == {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"}
    assert settings["DAGSTER_PG_HOST"] in services


def test_the_history_is_reached_by_the_driver_that_is_installed():
    database = read(COMPOSE / "dagster.yaml")["storage"]["postgres"]["postgres_db"]
    assert database["scheme"] == "postgresql+psycopg2"
    assert "dagster-postgres" in (COMPOSE / "Dockerfile").read_text(), "which brings psycopg2"


def test_every_setting_of_the_services_is_one_that_vidcap_reads():
    code = " ".join(
        file.read_text()
        for package in ("vidcap_assets", "resources")
        for file in (*(ROOT / package).rglob("*.py"), *(ROOT / package).rglob("*.yaml"))
    )
    named = {*variables(COMPOSE / ".env.example"), *variables(SYSTEMD / "vidcap.env")}
    named |= read(COMPOSE / "compose.yaml")["services"]["code"]["environment"].keys()
    for name in named:
        assert not name.startswith("VIDCAP_") or name in code, name


@pytest.mark.parametrize(
    "unit", sorted((ROOT / "deploy" / "systemd").glob("*.service")), ids=lambda path: path.stem
)
def test_units_listen_on_the_loopback_address_as_a_user_of_their_own(unit: Path):
    text = unit.read_text()
    assert "User=vidcap" in text
    assert set(re.findall(r"-h (\S+)", text)) <= {"127.0.0.1"}
    (command,) = re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE)
    parse(command.split(), SYSTEMD)


# Stand for the commands that only root on a machine of its own can run; the rest of the guide is run as it is.
STUBS = """
useradd() { :; }
systemctl() { echo "$@"; }
make() { :; }
git() { cp -r "$REPOSITORY/deploy" "$3/" && mkdir -p "$3/vidcap_assets" \\
    && cp -r "$REPOSITORY/vidcap_assets/automation" "$3/vidcap_assets/"; }
install() { command install $(printf '%s\\n' "$@" | sed "/^-g$/,+1d; /^-o$/{n; s/^vidcap$/$OWNER/; s/^root$/$UID/}"); }
"""


def test_the_guide_puts_every_file_where_the_units_look_for_it(tmp_path: Path):
    (written,) = re.findall(
        r"^```\n(useradd.+?)^```", (SYSTEMD / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    for folder in ("/var/", "/opt/", "/etc/"):
        written = written.replace(folder, f"{tmp_path}{folder}")
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    owner = os.getuid() or 65534
    done = subprocess.run(
        ["bash", "-euc", STUBS + written.replace("<repository>", "REPOSITORY")],
        cwd=tmp_path,
        env={**os.environ, "REPOSITORY": str(ROOT), "OWNER": str(owner)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    started = re.findall(r"enable --now (.+)", done.stdout)[0].split()
    for name in started:
        unit = (tmp_path / f"etc/systemd/system/{name}.service").read_text()
        looked_for = re.findall(
            r"^EnvironmentFile=(.+)$| -w (\S+)|^WorkingDirectory=(.+)$", unit, re.MULTILINE
        )
        for path in filter(None, (one for found in looked_for for one in found)):
            assert (tmp_path / path.lstrip("/")).exists(), f"{name} looks for {path}"
    assert (tmp_path / "var/lib/vidcap").stat().st_uid == owner, "the services write there"
    home = variables(tmp_path / "etc/vidcap/vidcap.env")["DAGSTER_HOME"]
    assert (tmp_path / home.lstrip("/") / "dagster.yaml").read_text() == SETTINGS.read_text()
    assert {f"{name}.service" for name in started} == {unit.name for unit in SYSTEMD.glob("*.service")}


def test_the_guide_names_every_error_kind_and_every_variable():
    from resources.annotation.outcome import ErrorKind

    guide = (ROOT / "docs" / "operations.md").read_text()
    rows = set(re.findall(r"^\| `(\w+)` \| (?:final|left|tried)", guide, re.MULTILINE))
    assert rows == {str(kind) for kind in ErrorKind}
    for kind in ErrorKind:
        word = "final" if kind.is_final else "left to do" if kind.fails_shard else "tried again by every run"
        assert f"| `{kind}` | {word} |" in guide
    for variable in (
        "VIDCAP_AUTOMATION",
        "VIDCAP_LOOK_EVERY_S",
        "VIDCAP_SHARDS_PER_RUN",
        "VIDCAP_HOST",
        "VIDCAP_OWNERS",
    ):
        assert f"`{variable}`" in guide
