"""What `dg check yaml` and editors hold a collection file against: the settings' schema, as a file may write them."""

from collections.abc import Mapping
from typing import Any

from resources.annotation.declaration import kinds
from vidcap_assets.collection.settings import CollectionSettings, model

_TEMPLATE = {"type": "string", "pattern": r"^\s*\{\{\s*env\.\w+\s*\}\}\s*$"}
_SHORT = ("source", "warehouse")  # a plain text stands for the block


def attributes_of_every_kind() -> type[CollectionSettings]:
    """The settings over every kind of annotator that is installed, with that schema."""
    base = model(kinds())

    def model_json_schema(cls: type[CollectionSettings], *args: Any, **options: Any) -> dict[str, Any]:
        schema = base.model_json_schema(*args, **options)
        for block in (schema, *schema.get("$defs", {}).values()):
            for name, value in block.get("properties", {}).items():
                block["properties"][name] = _also_a_template(value)
        for name in _SHORT:
            schema["properties"][name]["anyOf"].append({"type": "string"})
        return schema

    return type("Collection", (base,), {"model_json_schema": classmethod(model_json_schema)})


def _also_a_template(value: Mapping[str, Any]) -> dict[str, Any]:
    """A schema that takes ``{{ env.NAME }}`` too, wherever it would not take any text."""
    if "const" in value or (value.get("type") == "string" and not {"enum", "pattern"} & value.keys()):
        return dict(value)
    if isinstance(value.get("type"), str) and value["type"] != "string":
        # A pattern says nothing about numbers, and a bound nothing about texts.
        return {**value, **_TEMPLATE, "type": [value["type"], "string"]}
    about = {key: value[key] for key in ("title", "description", "default") if key in value}
    choices = value.get("anyOf") or [{key: one for key, one in value.items() if key not in about}]
    return {**about, "anyOf": [*choices, _TEMPLATE]}
