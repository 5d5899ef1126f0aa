"""Format marks and thoughts in what a model wrote: what of it is the answer.

Chat models end their turns with marks, reasoning models think aloud before they answer, and servers and
tokenizers now and then let both through. A mark counts only where a model would write it: a caption may say that a
sign reads ``<think>``.
"""

import html
import re
from dataclasses import dataclass, field

_LEFT, _RIGHT = r"[<\[◁【＜]", r"[>\]▷】＞]"
_BAR = r"[|｜]?"
_THOUGHT = (
    r"(?:[a-z0-9]{1,20}[:_])?"
    r"(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflect(?:ions?)?|scratchpad|analysis|rationale|cot"
    r"|(?<=[</])(?:planning|antthinking|tool_calls?)|chain[_ -]of[_ -]thoughts?|(?:inner|internal)[_ ]monologue)"
    r"(?:[_:-][a-z]{1,20})?"
)
_OPEN = rf"{_LEFT}{_BAR}\s*(?:(?:start|begin)(?:_of)?_)?{_THOUGHT}(?:\s[^<>\[\]◁▷【】＜＞]{{0,200}})?\s*{_BAR}{_RIGHT}"
_CLOSE = rf"{_LEFT}{_BAR}\s*(?:(?:/|end(?:_of)?_)\s*{_THOUGHT}|{_THOUGHT}_end)\s*{_BAR}{_RIGHT}"
_UNUSED_OPEN, _UNUSED_CLOSE = r"<unused94>(?:thought\b)?", r"<unused95>"
_GEMMA_OPEN, _GEMMA_CLOSE = r"<\|channel>\s*thought\b", r"<channel\|>"
_THOUGHT_MARK = re.compile(
    rf"(?P<close>{_CLOSE}|{_UNUSED_CLOSE}|{_GEMMA_CLOSE})|(?P<open>{_OPEN}|{_UNUSED_OPEN}|{_GEMMA_OPEN})",
    re.IGNORECASE,
)
_SENTENCE_ENDS = ".!?…。！？:：)]}>▷"
# Behind a mark in the middle of a sentence, the sentence goes on in small letters, or ends.
_ON = r"[ \t]+[a-z]|[ \t]*[,.;)\"'”]"
_GOES_ON = re.compile(_ON)
# gpt-oss: <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(?P<name>\w+)[^<]{0,80}(?:<\|constrain\|>[^<]{0,40})?<\|message\|>"
    r"(?P<text>.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)",
    re.DOTALL,
)
# The same with its marks taken off by a tokenizer: analysisThe user wants…assistantfinalA red ball.
_BARE_CHANNELS = re.compile(
    r"(?:assistant)?(?:analysis|commentary)(?=[A-Z\"'“*])(?P<thought>.*?)"
    r"(?:(?:assistant)?final(?=[A-Z\"'“*\[{])(?P<text>.*))?\Z",
    re.DOTALL,
)
_LABELLED = re.compile(
    r"(?:\W{0,4}(?:thinking(?: process)?|thoughts?|reasoning|chain of thought"
    r"|here(?: is|['’]s) my thought process)\W{0,3}:|<details\b[^>]*reasoning[^>]*>|thinking\.{3}\n)[*_]*"
    r"(?P<thought>.*?)(?:</details>|\.{3}done thinking\."
    r"|\n\W{0,4}(?:(?:final |my )?(?:answer|caption|response|description|output)"
    r"|here(?: is|['’]s) my (?:answer|response))\W{0,3}:[*_]*)(?P<text>.*)\Z",
    re.IGNORECASE | re.DOTALL,
)
_TURN_END = (
    r"<[|｜](?:im_end|eot_id|eom_id|end|endoftext|end_of_text|return|call|end_of_turn|eos|end_of_turn_token"
    r"|endofturn|eot|user|human|im_user|observation|end[_▁]of[_▁]sentence|end_of_utterance|im_sep|stop)[|｜]>"
    r"|</s>|<eos>|<eos_token>|<end_of_turn>|<end_of_utterance>|<turn\|>|<end>|\[EOS\]|\[/?INST\]"
    r"|\[end of (?:text|turn)\]|\[\|endofturn\|\]"
)
_SECOND_TURN = re.compile(
    rf"{_TURN_END}|<[|｜]?(?:im_start|start_header_id|start_of_turn|start)[|｜]?>\s*(?:user|human|system)\b"
    r"|(?:(?<=\n)|(?<=[^\w\s]))(?:assistant|user|human|system)[ \t]*(?:\n|\Z)"
    r"|(?<=\n)(?:USER|ASSISTANT|Human|User|### ?(?:Instruction|Human|User)) ?:",
    re.IGNORECASE,
)
_ROLE = re.compile(
    r"(?:<[|｜]?(?:im_start|start_header_id|start_of_turn|start|turn)[|｜]?>\s*)?"
    r"(?:(?:assistant|model|gpt|chatgpt|bot|ai)[ \t]*"
    r"(?:(?:<[|｜]?(?:end_header_id|message|im_sep)[|｜]?>)+|(?=\n|<[|｜])|\Z)"
    r"|(?:ASSISTANT|Assistant|AI|Bot|assistant|GPT4 Correct Assistant|#{1,4} ?(?:Response|Assistant|Answer)) ?:"
    r"|assistant(?=[A-Z\"“\[])|[<\[][|｜](?:assistant|bot|model)[|｜][>\]])\s*"
)
_MARK = re.compile(
    rf"{_TURN_END}|<[|｜][^<>|｜\n]{{1,40}}[|｜]?>|<[^<>|｜\s]{{1,40}}[|｜]>"
    r"|</?(?:s|bos|pad|unk|sep|cls|mask|start_of_turn|image|video|img|unused\d+|extra_id_\d+|0x[0-9A-F]{2})>"
    r"|\[(?:BOS|PAD|UNK|SEP|CLS)\]|<</?SYS>>",
    re.IGNORECASE,
)
# A mark that the limit on tokens cut in two.
_HALF_MARK = re.compile(r"(?:<[|｜]|◁)[^<>|\n]{0,40}\Z|</\w{0,20}\Z|\A<\w{0,20}\Z")
_WRAPPED = re.compile(
    r"<(?P<tag>answer|final_answer|final|response|output|caption|description|solution)>"
    rf"(?!{_ON})"
    r"(?P<text>.*?)(?:</(?P=tag)>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_FENCE = re.compile(
    r"\A```[ \t]*(?:text|txt|plaintext|markdown|md|caption)?[ \t]*\n(?P<text>.*?)\n?```\Z", re.DOTALL
)
# Letters to Python, nothing to a reader.
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0\u2800\u034f"


@dataclass(frozen=True, slots=True)
class Unmarked:
    """What a model wrote, taken apart: the answer, the thoughts around it, and the marks that came off."""

    text: str
    thought: str = ""
    marks: tuple[str, ...] = field(default=())


def unmarked(written: str) -> Unmarked:
    """Take marks and thoughts off; the answer keeps every other character but invisible ones at its ends.

    A thought that was never closed goes on to the end of the text. What follows the end of the turn is not the
    answer, whoever the model made speak there.
    """
    text = strip_invisible(written)
    if text.lower().startswith(("&lt;", "＆lt;")):
        text = html.unescape(text)
    text, thoughts = _channels(text)
    text, more = _outside_thoughts(text)
    thoughts += more
    marks: list[str] = []
    text = _own_turn(text, marks)
    if (labelled := _LABELLED.match(text)) is not None:
        thoughts.append(labelled["thought"])
        text = labelled["text"]
    if (wrapped := _WRAPPED.search(text)) is not None and strip_invisible(wrapped["text"]):
        marks.append(f"<{wrapped['tag']}>")
        thoughts.append(text[: wrapped.start()])
        text = wrapped["text"]
    if (fenced := _FENCE.match(text)) is not None:
        marks.append("```")
        text = fenced["text"]
    thought = "\n".join(filter(None, map(strip_invisible, thoughts)))
    return Unmarked(strip_invisible(text), thought, tuple(dict.fromkeys(marks)))


def is_thought_mark(token: str) -> bool:
    """Does a token of its own begin or end a thought?"""
    return _THOUGHT_MARK.fullmatch(token) is not None


def strip_invisible(text: str) -> str:
    """The text without what shows nothing at its ends: spaces, zero-width and control characters."""
    start, end = 0, len(text)
    while start < end and _is_invisible(text[start]):
        start += 1
    while end > start and _is_invisible(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_invisible(char: str) -> bool:
    # Flags of regions end in tag characters, which are not printable either.
    is_tag = "\U000e0020" <= char <= "\U000e007f"
    return (
        char.isspace()
        or char in _BLANK_LETTERS
        or (not char.isprintable() and not is_tag and not is_noise(char))
    )


def is_noise(char: str) -> bool:
    """Is it a raw control character? A way to say nothing it is not: the check of incomplete captions tells of it."""
    return "\x01" <= char < " " and not char.isspace()


def _channels(text: str) -> tuple[str, list[str]]:
    found = list(_CHANNEL.finditer(text))
    if found:
        final = [match["text"] for match in found if match["name"].lower() == "final"]
        return final[-1] if final else "", [
            match["text"] for match in found if match["name"].lower() != "final"
        ]
    if (bare := _BARE_CHANNELS.match(text)) is not None:
        return bare["text"] or "", [bare["thought"]]
    return text, []


def _outside_thoughts(text: str) -> tuple[str, list[str]]:
    """The parts outside thoughts, and the thoughts. A close mark without an open one ends what stands before it."""
    outside: list[str] = []
    thoughts: list[str] = []
    begin, depth, quoted = 0, 0, False
    for mark in _THOUGHT_MARK.finditer(text):
        before, after = text[begin : mark.start()], text[mark.end() :]
        if mark["open"]:
            if depth == 0 and _is_quoted(text[: mark.start()], mark["open"], after):
                quoted = True  # "a sign that reads <think>": the caption's own words, with what closes it
                continue
            (thoughts if depth else outside).append(before)
            depth += 1
        else:
            if depth == 0 and (quoted or _is_quoted(text[: mark.start()], "", after)):
                quoted = False
                continue
            if depth == 0:
                thoughts += outside
                outside.clear()
            thoughts.append(before)
            # Open marks may be said twice; a thought goes on only where another close mark follows.
            depth = max(0, depth - 1) if any(later["close"] for later in _THOUGHT_MARK.finditer(after)) else 0
        begin = mark.end()
    (thoughts if depth else outside).append(text[begin:])
    return "\n".join(filter(None, map(strip_invisible, outside))) if thoughts else text, thoughts


def _is_quoted(before: str, mark: str, after: str) -> bool:
    """Does the mark stand in the middle of a sentence, as a word of the caption?"""
    shown = before.rstrip(" \t")
    if not strip_invisible(shown) or shown.endswith("\n"):
        return False
    # In square brackets stand asides of people, too: "He sits down. [thinking] Then he …"
    return mark.startswith(("[", "【")) or (shown[-1] not in _SENTENCE_ENDS and bool(_GOES_ON.match(after)))


def _own_turn(text: str, marks: list[str]) -> str:
    """The model's own turn: without its header, its marks, and whoever speaks after it."""
    parts = [""]
    rest = strip_invisible(text)
    while not parts[-1] and rest:
        if (role := _ROLE.match(rest)) is not None:
            marks.append(role[0].strip())
            rest = rest[role.end() :]
        end = _SECOND_TURN.search(rest)
        part, rest = (rest[: end.start()], rest[end.end() :]) if end else (rest, "")
        if end:
            marks.append(end[0].strip())
        marks += (mark for mark in _MARK.findall(part) if mark)
        parts.append(strip_invisible(_HALF_MARK.sub("", _MARK.sub("", part))))
        rest = strip_invisible(rest)
    return parts[-1]
