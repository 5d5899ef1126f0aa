"""A block of the file as a Dagster resource: what the file says holds, unless a run's configuration says otherwise."""

from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import dagster as dg
from pydantic import BaseModel, Field, ValidationError, create_model

from resources.annotation.block import Block
from resources.annotation.secret import RUN_CONFIGURATION
from vidcap_assets.collection.settings import CollectionError

# Not settings, but what the entry is: a run cannot change it.
FIXED = frozenset({"kind", "name", "paid"})


def overridable(block: Block) -> dg.ConfigurableResource:
    """A resource that hands out the block itself, as the run's configuration leaves it.

    Values given to a ``ConfigurableResource`` are lost as soon as a run configures any field of it: Dagster then
    fills the others from the class. So the file's values are made the defaults of a class of their own.
    """
    kind, stated = type(block), block.model_dump()
    fields: Any = {
        name: (_config_type(field.annotation), Field(default=stated[name], description=field.description))
        for name, field in kind.model_fields.items()
        if name not in FIXED
    }

    def create_resource(self: Any, context: dg.InitResourceContext) -> Block:
        try:
            said = {**stated, **{name: getattr(self, name) for name in fields}}
            return kind.model_validate(said, context=RUN_CONFIGURATION)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            message = first["msg"].removeprefix("Value error, ")
            raise CollectionError(f"run configuration, {place}: {message}") from None

    resource = create_model(kind.__name__, __base__=dg.ConfigurableResource, __doc__=kind.__doc__, **fields)
    resource.create_resource = create_resource  # type: ignore[method-assign]
    return resource()


def _config_type(annotation: Any) -> Any:
    """The closest type that Dagster's configuration knows; the block itself validates what a run says."""
    if get_origin(annotation) is Literal:
        return str
    if get_origin(annotation) in (Union, UnionType):
        inner = [_config_type(one) for one in get_args(annotation) if one is not NoneType]
        one = inner[0] if len(inner) == 1 else Any
        return one | None if one is not Any and NoneType in get_args(annotation) else one
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return dict[str, Any]
    if get_origin(annotation) is tuple:
        return list[Any]
    return str if getattr(annotation, "keeps_template", False) else annotation
