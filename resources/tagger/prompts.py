"""What the tagger is asked."""

TAG_KEYS = ("objects", "actions")

_ANSWER_FORMAT = (
    "Answer with one list in square brackets, the entries in lower case and separated by commas, and nothing "
    "else. "
)

TAG_PROMPTS: dict[str, str] = {
    "objects": (
        "You read the caption of a video and list the physical objects that it names: people, "
        "animals, things, "
        "plants, buildings and parts of the landscape. Use one or two words for each, take them from the "
        "caption, name each only once, and leave out qualities, actions and whatever the caption does not "
        "mention. " + _ANSWER_FORMAT + "Example: [girl, bicycle, lake]. If there is none, answer []."
    ),
    "actions": (
        "You read the caption of a video and list the actions that somebody or something performs in it. Use "
        "the base form of the verb, one or two words for each, name each only once, and leave out states, "
        "objects, what the camera does and whatever the caption does not mention. "
        + _ANSWER_FORMAT
        + "Example: [run, throw, laugh]. If there is none, answer []."
    ),
}
"""The system prompt of each kind of tag; the caption follows as the user's turn."""
