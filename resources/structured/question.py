"""The question for a structured caption: what is known of a clip goes in, an object by a schema comes out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator

from resources.annotation.clip import Clip
from resources.annotation.outcome import ClipError, ErrorKind
from resources.structured.grounding import ungrounded
from resources.text_model.question import Question, Turn
from resources.words.camera import contradiction
from resources.words.judgement import Judgement, Verdict, shortened


class StructuredQuestion(Question):
    """What is to be written of a clip, field by field.

    Args:
        asset: whose answers these are.
        form: as in ``default.yaml``: the ``json_schema`` of the answer, an object; ``examples`` of what is known and
            the right answer, as turns before the clip; the ``prompt``, in which ``{fields}`` stands for the fields.
        labels: the asset of the camera's motion, which no answer may contradict; ``None`` where there is none.

    The value is the answer as JSON; ``details`` hold its fields, and the words in it that nothing says.
    """

    def __init__(self, asset: str, form: Mapping[str, Any], labels: str | None = None) -> None:
        self.asset, self.schema, self._labels = asset, form["json_schema"], labels
        about = {name: one.get("description") for name, one in self.schema["properties"].items()}
        fields = "; ".join(f"{name}: {said}" if said else name for name, said in about.items())
        self._asked = [{"role": "system", "content": form["prompt"].replace("{fields}", fields)}]
        for one in form["examples"]:
            answer = json.dumps(one["answer"], ensure_ascii=False, separators=(",", ":"))
            self._asked += [
                {"role": "user", "content": one["known"]},
                {"role": "assistant", "content": answer},
            ]
        self.recorded = {"prompt": self._asked, "json_schema": self.schema}
        self._validator = Draft202012Validator(self.schema)

    def told(self, clip: Clip) -> str:
        """A line for each answer that is known."""
        words = {name: _in_words(said) for name, said in clip.answers.items()}
        return "\n".join(f"{name}: {said}" for name, said in words.items() if said)

    def turns(self, clip: Clip) -> list[Turn]:  # noqa: D102
        return [*self._asked, {"role": "user", "content": self.told(clip)}]

    def judge(self, written: str, cut_off: bool = False) -> Judgement:
        """As for captions, but an object in the words is an answer whatever its texts are."""
        judged = super().judge(written, cut_off)
        if judged.verdict is Verdict.REFUSED and "{" in judged.text:
            return Judgement(Verdict.OK, judged.text, "", judged.details)
        return judged

    def read(self, text: str, clip: Clip) -> tuple[str, dict[str, Any]]:
        """The object in the words, prose around it or not.

        Raises:
            ClipError: there is none, it does not follow the schema, or it contradicts the camera's motion.
        """
        answer = self._valid(text)
        said = " ".join(_texts(answer))
        motion = clip.answers.get(self._labels) if self._labels else None
        if fault := contradiction(said, motion):
            raise ClipError(ErrorKind.CONTRADICTION, f"the answer {fault}: {shortened(said)!r}")
        value = json.dumps(answer, ensure_ascii=False)
        fields = {name: one for name, one in answer.items() if one not in ("", None)}
        return value, {"fields": fields, "ungrounded": ungrounded(said, self.told(clip))}

    def _valid(self, text: str) -> dict[str, Any]:
        faults = []
        for answer in _objects(text):
            fault = next(self._validator.iter_errors(answer), None)
            if fault is None:
                return answer
            faults.append(f"{fault.json_path.removeprefix('$.')}: {shortened(fault.message)}")
        why = faults[0] if faults else f"no JSON object in it: {shortened(text)!r}"
        raise ClipError(ErrorKind.INVALID_ANSWER, f"the answer does not follow the schema: {why}")


def _in_words(said: str) -> str:
    """A list of tags as words with commas between, everything else as it is, in one line."""
    if said.startswith("["):
        return ", ".join(map(str, json.loads(said)))
    return " ".join(said.split())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | Sequence):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(one)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Every JSON object that begins somewhere in the text and is whole, outermost first."""
    decoder, start = json.JSONDecoder(parse_constant=_no_number), text.find("{")
    while start >= 0:
        try:
            found, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            yield found
        start = text.find("{", end)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
