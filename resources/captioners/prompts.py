"""What a captioner is asked: named presets, literal texts, and which clip takes which."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from resources.annotation.clip import Clip, Kind
from resources.annotation.outcome import SetupError

TEXT_SLOT = "{text}"
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text to put to the model, and the clips that it is written for.

    ``kind`` is the only kind of clip it fits (``None``: any); ``num_frames`` how many frames it speaks of
    (``None``: any). ``text`` holds the slot ``{text}`` where the clip's existing text goes, and
    ``without_text`` then names the preset for a clip that has none.
    """

    name: str | None
    text: str
    kind: Kind | None = None
    num_frames: int | None = None
    without_text: str | None = None

    @property
    def takes_text(self) -> bool:
        """Does the clip's existing text go into the prompt?"""
        return TEXT_SLOT in self.text

    def to_json(self) -> dict[str, Any]:
        """What a recipe records: the words themselves, so that editing a preset makes a new recipe."""
        return {"name": self.name, "text": self.text, "kind": self.kind.value if self.kind else None}


@cache
def presets() -> dict[str, Prompt]:
    """The prompts of ``prompts.yaml``, by name."""
    content = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return {
        name: Prompt(name, **{**said, "kind": Kind(said["kind"]) if "kind" in said else None})
        for name, said in content.items()
    }


_AUTO_CHOICES = {
    AUTO: {Kind.VIDEO: "video", Kind.IMAGE: "image"},
    "auto-text": {Kind.VIDEO: "video-text", Kind.IMAGE: "image-text"},
}


def prompts_of(name_or_literal: str) -> list[Prompt]:
    """Every prompt that this setting can put to a clip: what the recipe has to record.

    A preset's name gives that preset (and, for a ``-text`` preset, the one for clips without text);
    ``auto`` and ``auto-text`` give the video and the image preset; anything else is the text itself, in
    which ``{text}`` stands for the clip's existing text.

    Raises:
        AnnotatorError: the text is blank, or looks like a preset's name but is none.
    """
    if name_or_literal in _AUTO_CHOICES:
        return [prompt for name in _AUTO_CHOICES[name_or_literal].values() for prompt in prompts_of(name)]
    if (preset := presets().get(name_or_literal)) is not None:
        return [preset] if preset.without_text is None else [preset, presets()[preset.without_text]]
    if not name_or_literal.strip():
        raise SetupError("the prompt is blank: give a preset's name or the text to use")
    if len(name_or_literal.split()) == 1 and "-" in name_or_literal:
        known = ", ".join([*_AUTO_CHOICES, *presets()])
        raise SetupError(f"no prompt preset is called '{name_or_literal}'; there are: {known}")
    return [Prompt(None, name_or_literal)]


def fallback(name_or_literal: str, clip: Clip) -> str | None:
    """The preset by which a clip is asked that is of another kind than the one named is for; ``None``: it fits."""
    prompt = None if name_or_literal in _AUTO_CHOICES else prompts_of(name_or_literal)[0]
    if prompt is None or prompt.kind in (None, clip.kind):
        return None
    return _AUTO_CHOICES["auto-text" if prompt.takes_text else AUTO][clip.kind]


def resolve_prompt(name_or_literal: str, clip: Clip) -> Prompt:
    """The prompt for this clip, its slot filled with the clip's existing text.

    Raises:
        SetupError: a literal prompt asks for the text of a clip that has none; or see :func:`prompts_of`.
    """
    own = _AUTO_CHOICES.get(name_or_literal, {}).get(clip.kind, name_or_literal)
    prompt = prompts_of(fallback(name_or_literal, clip) or own)[0]
    if not prompt.takes_text:
        return prompt
    text = (clip.text or "").strip()
    if text:
        return Prompt(prompt.name, prompt.text.replace(TEXT_SLOT, text), prompt.kind, prompt.num_frames)
    if prompt.without_text is None:
        raise SetupError(
            f"clip '{clip.id}' ({clip.path}) has no text, but the prompt has the slot {TEXT_SLOT}: add a `text` column "
            "to the source, or take the slot out"
        )
    return presets()[prompt.without_text]


def check_frames(name_or_literal: str, num_frames: int) -> None:
    """Refuse a preset that speaks of another number of frames than the captioner shows.

    Raises:
        SetupError: naming both numbers.
    """
    for prompt in prompts_of(name_or_literal):
        if prompt.num_frames not in (None, num_frames):
            raise SetupError(
                f"the prompt preset '{prompt.name}' speaks of {prompt.num_frames} frame(s), but num_frames is "
                f"{num_frames}: set num_frames to {prompt.num_frames} or choose another prompt"
            )


def reads_text(name_or_literal: str) -> bool:
    """Can the existing text of a clip come into its prompt?"""
    return any(prompt.takes_text for prompt in prompts_of(name_or_literal))


def missing_text(name_or_literal: str, clip: Clip) -> str | None:
    """Why a literal prompt with the slot ``{text}`` has nothing to ask of a clip without text, if so."""
    if (clip.text or "").strip() or name_or_literal in _AUTO_CHOICES:
        return None
    prompt = prompts_of(name_or_literal)[0]
    return f"no text for the prompt's {TEXT_SLOT}" if prompt.takes_text and not prompt.without_text else None


def input_key(name_or_literal: str, clip: Clip) -> str | None:
    """What of a clip a captioner with this prompt reads.

    Its content, its text where the prompt takes it, and a prompt that stands in for the named one, which no recipe has.
    """
    if clip.content_id is None:
        return None
    other = fallback(name_or_literal, clip)
    read = [clip.text or ""] if reads_text(other or name_or_literal) else []
    read += [presets()[other].text] if other else []
    return "+".join([clip.content_id, *(hashlib.sha256(one.encode()).hexdigest()[:16] for one in read)])
