"""The house is open: no captioner is known by name but to its own code, the default file, demonstration and docs."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMES = re.compile(r"pllava|llava|gpt4v", re.IGNORECASE)
# A rule of frames is called after the model that it was written for, and recipes record it by that name.
OWN = (
    "resources/captioners/",
    "resources/demo/",
    "resources/video/sampling.py",
    "vidcap_assets/collection/default.yaml",
)


def test_no_captioner_is_known_by_name() -> None:
    found = []
    for room in ("resources", "vidcap_assets"):
        for file in sorted((ROOT / room).rglob("*")):
            name = file.relative_to(ROOT).as_posix()
            if not file.is_file() or "__pycache__" in name or name.startswith(OWN):
                continue
            lines = file.read_text(encoding="utf-8", errors="ignore").splitlines()
            found += [
                f"{name}:{number}: {line.strip()}"
                for number, line in enumerate(lines, 1)
                if NAMES.search(line)
            ]
    assert not found, "\n".join(found)
