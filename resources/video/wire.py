"""What a worker answers, as JSON and plain buffers: whoever reads it runs no code that the worker chose.

A decoder that a file has taken over may send anything. It can lie about the clip; it cannot make an object that is
not a dataclass or an enum of this package (or of the package whose function was called), nor run anything here.
"""

import dataclasses
import importlib
import json
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

from resources.annotation.outcome import ClipError, ErrorKind

OWN_PACKAGE = __name__.partition(".")[0]


class Unreadable(ValueError):
    """A reply that no honest worker sends."""


def encoded(value: Any) -> tuple[bytes, list[memoryview]]:
    """A reply as JSON, and the pixels of its arrays beside it.

    Raises:
        TypeError: something in it that cannot be sent.
    """
    buffers: list[memoryview] = []
    return json.dumps(_plain(value, buffers)).encode(), buffers


def decoded(body: bytes, buffers: Sequence[memoryview], packages: frozenset[str]) -> Any:
    """The reply that :func:`encoded` took apart; ``packages``: whose classes may be made of it.

    Raises:
        Unreadable: it is none.
    """
    try:
        return _value(json.loads(body), buffers, packages)
    except (ValueError, TypeError, LookupError, AttributeError, ImportError, RecursionError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def _plain(value: Any, buffers: list[memoryview]) -> Any:
    if isinstance(value, Enum):
        return {"enum": _name_of(type(value)), "value": _plain(value.value, buffers)}
    if value is None or isinstance(value, str | bool) or type(value) in (int, float):
        return value
    if isinstance(value, ClipError):
        return {"clip_error": [value.kind.value, value.message]}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {each.name: _plain(getattr(value, each.name), buffers) for each in dataclasses.fields(value)}
        return {"class": _name_of(type(value)), "fields": fields}
    if isinstance(value, list):
        return [_plain(each, buffers) for each in value]
    if isinstance(value, tuple):
        return {"tuple": [_plain(each, buffers) for each in value]}
    if isinstance(value, dict):
        return {"dict": [[_plain(key, buffers), _plain(each, buffers)] for key, each in value.items()]}
    if isinstance(value, Path):
        return {"path": str(value)}
    if hasattr(value, "dtype") and hasattr(value, "tobytes"):
        return _array(value, buffers)
    raise TypeError(f"{type(value).__name__} is no plain data")


def _array(value: "np.ndarray", buffers: list[memoryview]) -> Any:
    import numpy as np

    if value.dtype.kind not in "biufc":
        raise TypeError(f"an array of {value.dtype} is no plain data")
    if not isinstance(value, np.ndarray):
        return value.item()
    whole = np.ascontiguousarray(value)
    buffers.append(whole.reshape(-1).view(np.uint8).data)
    return {"array": len(buffers) - 1, "dtype": whole.dtype.str, "shape": list(value.shape)}


def _value(plain: Any, buffers: Sequence[memoryview], packages: frozenset[str]) -> Any:
    if isinstance(plain, list):
        return [_value(each, buffers, packages) for each in plain]
    if not isinstance(plain, dict):
        return plain
    if "array" in plain:
        import numpy as np

        dtype = np.dtype(plain["dtype"])
        if dtype.kind not in "biufc":
            raise ValueError(f"an array of {dtype}")
        return np.frombuffer(buffers[plain["array"]], dtype).reshape(plain["shape"])
    if "class" in plain:
        made = _class(plain["class"], packages)
        return made(**{name: _value(each, buffers, packages) for name, each in plain["fields"].items()})
    if "enum" in plain:
        return _class(plain["enum"], packages)(_value(plain["value"], buffers, packages))
    if "clip_error" in plain:
        kind, message = plain["clip_error"]
        return ClipError(ErrorKind(kind), str(message))
    if "tuple" in plain:
        return tuple(_value(each, buffers, packages) for each in plain["tuple"])
    if "path" in plain:
        return Path(plain["path"])
    return {_value(key, buffers, packages): _value(each, buffers, packages) for key, each in plain["dict"]}


def _name_of(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _class(name: str, packages: frozenset[str]) -> type:
    module, _, path = name.partition(":")
    if module.partition(".")[0] not in packages or not path.isidentifier():
        raise ValueError(f"{name} is none of {', '.join(sorted(packages))}")
    found = getattr(importlib.import_module(module), path)
    if not isinstance(found, type) or found.__module__ != module:
        raise ValueError(f"{name} is no class of its module")
    if not (dataclasses.is_dataclass(found) or issubclass(found, Enum)):
        raise ValueError(f"{name} is neither a dataclass nor an enum")
    return found
