"""Structured captions as an entry of a collection file."""

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import yaml
from pydantic import Field, model_validator

from resources.annotation.declaration import (
    CAPTIONS,
    LABELS,
    NAME,
    TAGS,
    Column,
    Declaration,
    Role,
)
from resources.engine.settings import EMBEDDED
from resources.text_model.settings import TextSettings

if TYPE_CHECKING:
    from resources.text_model.question import Question

_TYPES = {"string": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN"}
_DEFAULT = Path(__file__).with_name("default.yaml")


class Structured(TextSettings):
    """Captions of several lengths and parts, as an object whose fields become columns."""

    demo_model: ClassVar[Path] = EMBEDDED / "tiny-writer"

    kind: Literal["structured"] = "structured"
    name: str = "structured"
    batch_size: int = Field(default=32, gt=0, description="Clips in a batch, or requests in flight.")
    max_new_tokens: int = Field(default=768, gt=0, description="Longest answer, in tokens.")
    reads: list[str] = Field(
        default=[CAPTIONS, LABELS, TAGS],
        min_length=1,
        description="What the model is told: captions, labels, tags, scores, source (the text of the source list), or "
        "assets by name. Where they disagree, the first counts.",
    )
    json_schema: dict[str, Any] = Field(
        default={},
        description="JSON Schema of the answer, an object; each of its properties becomes a column. Default: short, "
        "medium, long, subject, environment, motion, camera, style.",
    )
    examples: list[dict[str, Any]] = Field(
        default=[],
        description="Worked examples for a schema of your own: {known: the lines, answer: the object}.",
    )
    prompt: str | None = Field(
        default=None, description="The task in your words; {fields} is where the fields are listed."
    )
    camera: str | None = Field(
        default="camera_motion",
        description="The asset whose camera motion no answer may contradict, if it is read; null: any answer will do.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.json_schema:
            if self.examples:
                raise ValueError("examples belong to a json_schema of your own")
            return self
        from jsonschema import Draft202012Validator, SchemaError, ValidationError

        names = [*self.json_schema.get("properties", {})]
        if self.json_schema.get("type") != "object" or not all(
            re.fullmatch(NAME, one) for one in names or [""]
        ):
            raise ValueError(
                "json_schema has to be of type object with properties, whose names become columns: small letters, "
                "digits and underscores"
            )
        try:
            Draft202012Validator.check_schema(self.json_schema)
            for one in self.examples:
                Draft202012Validator(self.json_schema).validate(one["answer"])
        except SchemaError as error:
            raise ValueError(f"json_schema is no JSON Schema: {error.message}") from error
        except (ValidationError, KeyError) as error:
            raise ValueError(
                f"an example is {{known: text, answer: what follows json_schema}}: {error}"
            ) from error
        return self

    @cached_property
    def _form(self) -> dict[str, Any]:
        form = yaml.safe_load(_DEFAULT.read_text(encoding="utf-8"))
        own = {"json_schema": self.json_schema, "examples": self.examples} if self.json_schema else {}
        return form | own | ({"prompt": self.prompt} if self.prompt else {})

    @property
    def _asset(self) -> str:
        return f"{self.name}_captions" if self.name == "structured" else self.name

    def declares(self) -> tuple[Declaration, ...]:  # noqa: D102
        asked = self._form["json_schema"]["properties"]
        fields = (
            Column(f"{self.name}_{field}", _type(said), said.get("description", field), f"$.fields.{field}")
            for field, said in asked.items()
        )
        strange = Column(
            f"{self.name}_ungrounded", "VARCHAR[]", "its words that no input holds", "$.ungrounded"
        )
        return (
            Declaration(
                self._asset,
                Role.STRUCTURED,
                (*fields, strange),
                "What is known of the clip, written anew in several lengths and parts.",
                tuple(self.reads),
                {
                    f"{self.name}.{field}": f"$.fields.{field}"
                    for field, said in asked.items()
                    if _type(said) == "VARCHAR"
                },
            ),
        )

    def questions(self) -> "list[Question]":  # noqa: D102
        from resources.structured.question import StructuredQuestion

        return [StructuredQuestion(self._asset, self._form, self.camera)]


def _type(said: dict[str, Any]) -> str:
    """The DuckDB type of a property; what is neither a plain value nor a list of them stays JSON."""
    if said.get("type") == "array":
        inner = _TYPES.get(said.get("items", {}).get("type", ""))
        return f"{inner}[]" if inner else "JSON"
    return _TYPES.get(said.get("type", ""), "JSON")
