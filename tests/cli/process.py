"""The command line as users have it: a process of its own, in a folder of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_OURS = ("VIDCAP_", "OPENAI_", "DAGSTER_")


@dataclass(frozen=True)
class Terminal:
    """A folder in which ``vidcap`` is called; its steps all run in one process."""

    folder: Path

    def says(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Call ``vidcap``; what it wrote and its exit code."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        environment = {
            **kept,
            "COLUMNS": "200",
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]),
            "VIDCAP_DEFINITIONS": "tests.cli.one_process",
            **variables,
        }
        command = [sys.executable, "-W", "ignore", "-m", "vidcap_assets.cli", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip

    def json(self, *arguments: str, **variables: str) -> dict:
        """The JSON of a command that succeeds."""
        done = self.says(*arguments, "--json", **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)
