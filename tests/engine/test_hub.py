"""A model of the hub is the commit that its name stands for: the recipe and the files agree."""

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json
from resources.engine.checkpoint import Checkpoint
it = Checkpoint.locate("owner/model")
print(json.dumps([it.identity(), str(it.folder())]))
"""


def test_name_and_files_are_of_one_commit(tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "models--owner--model"
    commits = ["a" * 40, "b" * 40]
    for commit in commits:
        (cache / "snapshots" / commit).mkdir(parents=True)
        (cache / "snapshots" / commit / "config.json").write_text("{}")
    (cache / "refs").mkdir()
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    for commit in commits:
        (cache / "refs" / "main").write_text(commit)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, check=True
        )
        identity, folder = json.loads(done.stdout)
        assert identity == {"model": "owner/model", "revision": commit}
        assert folder == str(cache / "snapshots" / commit)
