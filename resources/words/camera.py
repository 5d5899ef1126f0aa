"""What a text says of the camera, in the labels of camera motion, and where it contradicts them."""

import re

_CAMERA = r"(?:camera|shot|view|frame|lens|viewpoint|perspective)"
_HOW = r"(?: (?:\w+ly|then|back|further|a bit|the (?:camera|view|shot)))?"
_TO = r"(?:to the |to |towards? the |from (?:left|right) to )?"
_DIRECTIONS = {
    "pan_left": rf"pan(?:s|ned|ning)?{_HOW} {_TO}left(?:wards?)?\b|left(?:ward)? pan\b",
    "pan_right": rf"pan(?:s|ned|ning)?{_HOW} {_TO}right(?:wards?)?\b|right(?:ward)? pan\b",
    "tilt_up": rf"tilt(?:s|ed|ing)?{_HOW} up(?:wards?)?\b|up(?:ward)? tilt\b",
    "tilt_down": rf"tilt(?:s|ed|ing)?{_HOW} down(?:wards?)?\b|down(?:ward)? tilt\b",
    "zoom_in": rf"zoom(?:s|ed|ing)?{_HOW} in\b|(?:push|doll(?:y|ies)|mov)(?:e?s|ing)?(?: \w+)? (?:in|closer)\b",
    "zoom_out": rf"zoom(?:s|ed|ing)?{_HOW} out\b|(?:pull|doll(?:y|ies))(?:s|ing)? (?:out|back|away)\b",
}
_SAID = {label: re.compile(pattern, re.IGNORECASE) for label, pattern in _DIRECTIONS.items()}
_STILL = re.compile(
    rf"\b(?:static|stationary|fixed|locked[- ]off|motionless|still)\s+{_CAMERA}"
    rf"|\b{_CAMERA}(?: angle| position)?\s+(?:is|stays|remains|holds|keeps|being|was)\s+(?:\w+ )?"
    r"(?:static|stationary|fixed|still|motionless|in place|unmoving)\b"
    rf"|\b{_CAMERA}\s+does\s+not\s+move\b|\b{_CAMERA}\s+never\s+moves\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\b(?:no|not|without|never|nor|neither|instead of|n't)\b[^.;,]*$", re.IGNORECASE)


def camera_labels(text: str) -> frozenset[str]:
    """The motion that a text gives the camera, and ``static`` where it says that there is none.

    A movement counts where it is the camera's by its own word (pan, tilt, zoom), or stands in a sentence about it;
    what the text denies (`does not pan left`) does not count.
    """
    found = set()
    for label, pattern in _SAID.items():
        for said in pattern.finditer(text):
            sentence = text[max(text.rfind(end, 0, said.start()) for end in ".;\n") + 1 : said.start()]
            own_word = said[0].lower().startswith(("pan", "tilt", "zoom"))
            if (own_word or re.search(rf"\b{_CAMERA}\b", sentence, re.IGNORECASE)) and not _DENIED.search(
                sentence
            ):
                found.add(label)
    if _STILL.search(text):
        found.add("static")
    return frozenset(found)


def contradiction(text: str, cmotion: str | None) -> str | None:
    """How a text contradicts a camera motion label (``pan_left+zoom_in``), in a sentence; ``None``: it does not.

    A text that says nothing of the camera, or less than the label, contradicts nothing.
    """
    if not cmotion or cmotion == "unclassified":
        return None
    wrong = camera_labels(text) - set(cmotion.split("+"))
    return f"says {', '.join(sorted(wrong))} where the camera's motion is {cmotion}" if wrong else None
