"""What the tagger is asked."""

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


TAG_PROMPTS = {
    key: f"{task}{_LIST}Example: [{', '.join(_EXAMPLES[key])}]. If there is none, answer []."
    for key, task in _TASKS.items()
}
"""The system prompt of each kind of tag; the caption follows as the user's turn."""
