"""What the tagger is asked: the system prompt of each kind of tag; the caption follows as the user's turn."""

from pathlib import Path

import yaml

TAG_PROMPTS: dict[str, str] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
TAG_KEYS = tuple(TAG_PROMPTS)
