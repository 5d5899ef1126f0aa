"""A part of a collection file as a frozen pydantic model, with ``{{ env.NAME }}`` as its only template."""

import json
import os
import re
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, model_validator

TEMPLATE = re.compile(r"\{\{\s*env\.(\w+)\s*\}\}")
_CREDENTIALS = re.compile(r"//[^/@\s\"]+@")


class Block(BaseModel):
    """Unknown settings are refused. A template stands for a whole value; of a variable that is unset, the default.

    A field whose type sets ``keeps_template`` gets the template itself: of a secret only the name is kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    def shown(self) -> dict[str, Any]:
        """The settings as people may see them: no user name or password of an address."""
        return json.loads(_CREDENTIALS.sub("//***@", self.model_dump_json()))

    @model_validator(mode="before")
    @classmethod
    def _templates(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        fields = {name: field.annotation for name, field in cls.model_fields.items()}
        return {
            name: filled
            for name, value in values.items()
            if (filled := value if _keeps_template(fields.get(name), value) else rendered(value)) is not None
            or value is None
        }


def rendered(value: Any) -> Any:
    """The value with variables put in for templates, at any depth; ``None`` for one that is unset or empty.

    Raises:
        ValueError: a template with something around it.
    """
    if isinstance(value, str):
        if match := TEMPLATE.fullmatch(value.strip()):
            return os.environ.get(match[1]) or None
        if TEMPLATE.search(value):
            raise ValueError("{{ env.NAME }} stands alone as a whole value")
        return value
    if isinstance(value, dict):
        return {
            key: filled for key, one in value.items() if (filled := rendered(one)) is not None or one is None
        }
    return [rendered(one) for one in value] if isinstance(value, list) else value


def _keeps_template(annotation: Any, value: Any) -> bool:
    """Does what becomes of the value read templates by itself? A block does, but for a text that stands for it."""
    is_block = isinstance(annotation, type) and issubclass(annotation, Block) and not isinstance(value, str)
    inner = any(_keeps_template(one, value) for one in get_args(annotation))
    return is_block or inner or getattr(annotation, "keeps_template", False)
