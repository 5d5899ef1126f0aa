"""What a captioner is asked: named presets, literal texts, and which clip takes which."""

import hashlib
from dataclasses import dataclass
from typing import Any

from resources.annotation.clip import Clip, Kind
from resources.annotation.outcome import AnnotatorError

TEXT_SLOT = "{text}"
AUTO = "auto"


class PromptMismatch(AnnotatorError):
    """The prompt cannot be asked about this clip; the configuration is wrong, not the clip."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


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


_EXAMPLES_OF_CLIPS = (
    (
        "An elderly fisherman in a navy wool jumper mends a green net on a wooden pier. His hands "
        "pull the cord "
        "through the mesh again and again. Behind him small boats rock on grey water under a cloudy sky. The "
        "light is soft and cold, and the colours are muted."
    ),
    (
        "Seen from a drone, a red train crosses a stone viaduct above a forest in autumn colours. "
        "It runs from "
        "left to right while its shadow slides over the tree tops. The camera follows at the same speed. The "
        "sun is low and the picture is crisp and warm."
    ),
    (
        "A slice of lemon drops into a glass of sparkling water in slow motion. Bubbles burst around it and "
        "drops jump above the rim. The glass stands on white marble in front of a plain pale blue "
        "background. "
        "The bright studio light gives it the look of an advertisement."
    ),
)
_EXAMPLES_OF_IMAGES = (
    (
        "A grey cat sleeps on a pile of folded blue towels beside an open window. Thin curtains let in soft "
        "morning light. The photograph is close, quiet and slightly grainy."
    ),
    (
        "A watercolour of a narrow street in an old harbour town. White houses with orange roofs "
        "lean towards "
        "each other, and a strip of green sea shows at the end. The brush strokes are loose and the "
        "paper shines "
        "through."
    ),
    (
        "A black road bicycle leans against a brick wall painted yellow. Its thin tyres throw long "
        "shadows on "
        "the pavement in the evening sun. The picture is sharp, with strong contrast and few objects."
    ),
)
_IMAGE_TASK = (
    "Describe this image so that somebody could paint it again from your words: the main subject, the other "
    "objects, the place, the colours, the light and the style. Write at most five sentences. Say only what "
    "can be seen."
)
_VIDEO_TASK = (
    "Describe this video so that somebody could film it again from your words: the subject, what it "
    "does, the "
    "place, the colours, the light, how the camera moves and the style. Write at most five sentences. Speak "
    "of the video as a whole, not of single frames, and say only what can be seen."
)
_MIDDLE_FRAME_TASK = (
    "The image is the middle frame of a video clip. Describe the clip: the subject and its looks, what it is "
    "doing, the place and the background, the colours, the light and the style. Write three to five detailed "
    "sentences. Do not mention frames or images."
)
_THREE_FRAMES_TASK = (
    "The images are three frames of one video clip in the order of time: near its beginning, its middle and "
    "near its end. Describe the clip: the subject and its looks, what happens from beginning to end, how the "
    "camera moves, the place and the background, the colours, the light and the style. Write three to five "
    "detailed sentences. Do not mention frames or images."
)
_GIVEN_TEXT = (
    "This text came with it and may be wrong or incomplete; use what agrees with what you see: " + TEXT_SLOT
)


def _with_examples(task: str, examples: tuple[str, ...]) -> str:
    return "\n".join([task, *(f"Example {n}: {text}" for n, text in enumerate(examples, start=1))])


def _with_text(task: str) -> str:
    return f"{task}\n{_GIVEN_TEXT}"


_PLLAVA_SYSTEM = (
    "You are a careful assistant that watches videos and describes them for people who will never see them. "
    "A few frames of one video clip are shown to you in the order of time. Tell in at most six "
    "sentences what "
    "is in the clip, what happens, how the camera moves, and what the place, the light and the "
    "style are like. "
    "Do not guess names, sounds or what happens before and after.\n"
    + _with_examples("This is the manner:", _EXAMPLES_OF_CLIPS[:2])
)

PRESETS: dict[str, Prompt] = {
    prompt.name: prompt
    for prompt in (
        Prompt("image", _IMAGE_TASK, Kind.IMAGE),
        Prompt("image-text", _with_text(_IMAGE_TASK), Kind.IMAGE, without_text="image"),
        Prompt("image-3ex", _with_examples(_IMAGE_TASK, _EXAMPLES_OF_IMAGES), Kind.IMAGE),
        Prompt("video", _VIDEO_TASK, Kind.VIDEO),
        Prompt("video-text", _with_text(_VIDEO_TASK), Kind.VIDEO, without_text="video"),
        Prompt("video-f1-detail-3ex", _with_examples(_MIDDLE_FRAME_TASK, _EXAMPLES_OF_CLIPS), Kind.VIDEO, 1),
        Prompt(
            "video-f1-detail-2ex-text",
            _with_text(_with_examples(_MIDDLE_FRAME_TASK, _EXAMPLES_OF_CLIPS[:2])),
            Kind.VIDEO,
            1,
            without_text="video-f1-detail-3ex",
        ),
        Prompt("video-f3-detail-3ex", _with_examples(_THREE_FRAMES_TASK, _EXAMPLES_OF_CLIPS), Kind.VIDEO, 3),
        Prompt(
            "video-f3-detail-2ex-text",
            _with_text(_with_examples(_THREE_FRAMES_TASK, _EXAMPLES_OF_CLIPS[:2])),
            Kind.VIDEO,
            3,
            without_text="video-f3-detail-3ex",
        ),
        Prompt("pllava", _PLLAVA_SYSTEM),
    )
    if prompt.name is not None
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
    if (preset := PRESETS.get(name_or_literal)) is not None:
        return [preset] if preset.without_text is None else [preset, PRESETS[preset.without_text]]
    if not name_or_literal.strip():
        raise AnnotatorError("the prompt is blank: give a preset's name or the text to use", retryable=False)
    if len(name_or_literal.split()) == 1 and "-" in name_or_literal:
        known = ", ".join([*_AUTO_CHOICES, *PRESETS])
        raise AnnotatorError(
            f"no prompt preset is called '{name_or_literal}'; there are: {known}", retryable=False
        )
    return [Prompt(None, name_or_literal)]


def resolve_prompt(name_or_literal: str, clip: Clip) -> Prompt:
    """The prompt for this clip, its slot filled with the clip's existing text.

    Raises:
        PromptMismatch: the preset is written for the other kind of clip, or a literal prompt asks for
            the text of a clip that has none.
        AnnotatorError: see :func:`prompts_of`.
    """
    if name_or_literal in _AUTO_CHOICES:
        name_or_literal = _AUTO_CHOICES[name_or_literal][clip.kind]
    prompt = prompts_of(name_or_literal)[0]
    if prompt.kind is not None and prompt.kind is not clip.kind:
        raise PromptMismatch(
            f"clip '{clip.id}' ({clip.path}) is of the kind {clip.kind}, but the prompt preset "
            f"'{prompt.name}' is "
            f"written for the kind {prompt.kind}; use '{AUTO}' to give each kind its own, or a literal text"
        )
    if not prompt.takes_text:
        return prompt
    text = (clip.text or "").strip()
    if text:
        return Prompt(prompt.name, prompt.text.replace(TEXT_SLOT, text), prompt.kind, prompt.num_frames)
    if prompt.without_text is None:
        raise PromptMismatch(
            f"clip '{clip.id}' ({clip.path}) has no text, but the prompt has the slot {TEXT_SLOT}: "
            "add a `text` "
            "column to the source, or take the slot out"
        )
    return PRESETS[prompt.without_text]


def check_frames(name_or_literal: str, num_frames: int) -> None:
    """Refuse a preset that speaks of another number of frames than the captioner shows.

    Raises:
        PromptMismatch: naming both numbers.
    """
    for prompt in prompts_of(name_or_literal):
        if prompt.num_frames not in (None, num_frames):
            raise PromptMismatch(
                f"the prompt preset '{prompt.name}' speaks of {prompt.num_frames} frame(s), but "
                "num_frames is "
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
    """What of a clip a captioner with this prompt reads: its content and, where the prompt takes "
    "it, its text."""
    if clip.content_id is None or not reads_text(name_or_literal):
        return clip.content_id
    return f"{clip.content_id}+{hashlib.sha256((clip.text or '').encode()).hexdigest()[:16]}"
