"""A secret in a collection file: the name of the environment variable that holds it, never its value."""

import os
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from resources.annotation.block import TEMPLATE

# The validation context of a run's configuration, where Dagster has already put the value in for ``{env: NAME}``.
RUN_CONFIGURATION = {"run_configuration": True}


@dataclass(frozen=True, slots=True)
class Secret:
    """Written ``{{ env.NAME }}``, and in a run's configuration also ``{env: NAME}``; anything else is refused."""

    keeps_template: ClassVar[bool] = True

    name: str

    def value(self) -> str | None:
        """The value as it is now; ``None`` where the variable is unset or empty."""
        return os.environ.get(self.name) or None

    def __str__(self) -> str:
        return f"{{{{ env.{self.name} }}}}"

    @classmethod
    def read(cls, written: Any, info: ValidationInfo) -> Self:
        """The secret that a setting names.

        Raises:
            ValueError: it was written out. The message does not repeat it.
        """
        if isinstance(written, cls):
            return written
        if isinstance(written, str):
            if match := TEMPLATE.fullmatch(written.strip()):
                return cls(match[1])
            if info.context == RUN_CONFIGURATION:
                for name, value in os.environ.items():
                    if value == written:
                        return cls(name)
        raise ValueError(
            "the secret is written out where it is stored and shown: give it as '{{ env.NAME }}' "
            "(in run configuration also {env: NAME}), and replace it, because it has been seen"
        )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(
            cls.read,
            core_schema.is_instance_schema(cls),
            serialization=core_schema.to_string_ser_schema(when_used="always"),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": TEMPLATE.pattern}
