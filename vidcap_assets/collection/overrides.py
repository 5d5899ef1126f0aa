"""A block of the file as a Dagster resource: what the file says holds, unless a run's configuration says otherwise."""

from typing import Any

import dagster as dg
from pydantic import BaseModel, create_model

# Not settings, but what the entry is: a run cannot change it.
FIXED = frozenset({"kind", "name", "paid"})


def overridable(block: BaseModel) -> dg.ConfigurableResource:
    """A resource that hands out the block itself, as the run's configuration leaves it.

    Values given to a ``ConfigurableResource`` are lost as soon as a run configures any field of it: Dagster then
    fills the others from the class. So the file's values are made the defaults of a class of their own.
    """
    kind = type(block)
    fields: Any = {
        name: (
            field.annotation,
            field.merge_field_infos(field, default=getattr(block, name), default_factory=None),
        )
        for name, field in kind.model_fields.items()
        if name not in FIXED
    }

    def create_resource(self: Any, context: dg.InitResourceContext) -> BaseModel:
        return kind.model_validate({**block.model_dump(), **{name: getattr(self, name) for name in fields}})

    resource = create_model(kind.__name__, __base__=dg.ConfigurableResource, __doc__=kind.__doc__, **fields)
    resource.create_resource = create_resource  # type: ignore[method-assign]
    return resource()


def with_defaults(resource: type[dg.ConfigurableResource], **defaults: Any) -> dg.ConfigurableResource:
    """Scaffolding of the spike only: source, lake, warehouse, text become blocks too, and this goes."""
    fields = resource.model_fields
    given: Any = {
        n: (fields[n].annotation, fields[n].merge_field_infos(fields[n], default=v, default_factory=None))
        for n, v in defaults.items()
    }
    return create_model(resource.__name__, __base__=resource, **given)()
