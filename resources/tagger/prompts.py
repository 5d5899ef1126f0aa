"""What the tagger is asked."""

import json

TAG_KEYS = ("objects", "actions")

_TASKS = {
    "objects": (
        "You read the caption of a video and list the physical objects that it names: people, "
        "animals, things, "
        "plants, buildings and parts of the landscape. Use one or two words for each, take them from the "
        "caption, name each only once, and leave out qualities, actions and whatever the caption does not "
        "mention. "
    ),
    "actions": (
        "You read the caption of a video and list the actions that somebody or something performs in it. Use "
        "the base form of the verb, one or two words for each, name each only once, and leave out states, "
        "objects, what the camera does and whatever the caption does not mention. "
    ),
}
_EXAMPLES = {"objects": ["girl", "bicycle", "lake"], "actions": ["run", "throw", "laugh"]}
_LIST = (
    "Answer with one list in square brackets, the entries in lower case and separated by commas, and nothing "
    "else. "
)
_JSON_LIST = "Answer with one JSON list of strings, all in lower case, and nothing else. "


def _prompt(key: str, answer_format: str, example: str) -> str:
    return f"{_TASKS[key]}{answer_format}Example: {example}. If there is none, answer []."


TAG_PROMPTS = {key: _prompt(key, _LIST, f"[{', '.join(_EXAMPLES[key])}]") for key in TAG_KEYS}
"""The system prompt of each kind of tag; the caption follows as the user's turn."""

JSON_TAG_PROMPTS = {key: _prompt(key, _JSON_LIST, json.dumps(_EXAMPLES[key])) for key in TAG_KEYS}
"""The same for a model whose answers are held to :data:`TAG_SCHEMA`."""

TAG_SCHEMA = {
    "type": "array",
    "items": {"type": "string", "minLength": 1, "maxLength": 60},
    "maxItems": 60,
}
"""What a constrained answer can be: bounded, so that a model that repeats itself comes to an end."""
