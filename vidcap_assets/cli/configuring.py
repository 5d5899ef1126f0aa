"""``vidcap init`` and ``vidcap config``: a collection file to begin with, and what is in force."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
import yaml
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python
from rich.markup import escape
from rich.table import Table

from resources.annotation.block import Block
from resources.annotation.declaration import AnnotatorSettings, kinds
from vidcap_assets.cli.in_force import collection_file, is_default, tell_left_out
from vidcap_assets.cli.output import Json, console, fail, print_json
from vidcap_assets.collection.blocks import DEMO_SOURCE
from vidcap_assets.collection.file import DEFAULT, TYPE, CollectionFile
from vidcap_assets.collection.settings import CollectionSettings, load_kind

_FILE = "vidcap.yaml"
_ACTIVE = ("source", "home", "annotators")


def init(
    source: Annotated[
        str, typer.Option(help="Folder, or .csv/.parquet list with a column `path`.")
    ] = DEMO_SOURCE,
    home: Annotated[str, typer.Option(help="Where everything is kept.")] = "data",
    as_json: Json = False,
) -> None:
    """Write a collection file, vidcap.yaml, with every setting explained; change it as you like."""
    path, text = Path(_FILE).absolute(), template(source, home)
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        fail(f"{path} is there already, and is left as it is", as_json)
    settings = CollectionFile.at(path).settings
    if as_json:
        print_json({"file": str(path), "left_out": settings.left_out})
        return
    console.print(f"[green]✓[/green] {escape(str(path))}. Next: edit it, then: vidcap run", soft_wrap=True)
    tell_left_out(settings)


def config(as_json: Json = False) -> None:
    """Print the settings in force and where each comes from: the file's line, a variable, or the default."""
    file = collection_file()
    values = list(_values(file))
    if as_json:
        print_json(
            {
                "file": str(file.path),
                "settings": {name: {"value": value, "from": origin} for name, value, origin in values},
                "left_out": file.settings.left_out,
            }
        )
        return
    console.print("no collection file; `vidcap init` writes one" if is_default(file) else str(file.path))
    table = Table("setting", "value", "from", box=None)
    for name, value, origin in values:
        table.add_row(name, escape(_flow(value)), f"[dim]{origin}[/dim]" if origin == "default" else origin)
    console.print(table)
    tell_left_out(file.settings)


def template(source: str, home: str) -> str:
    """The text of a new collection file: the annotators of the package's own, every setting as a comment."""
    lines = [f"type: {TYPE}", "attributes:"]
    for name, value in {"source": source, "home": home}.items():
        lines += [f"  # {CollectionSettings.model_fields[name].description}", f"  {name}: {_flow(value)}"]
    lines += ["", f"  # {CollectionSettings.model_fields['annotators'].description}", "  annotators:"]
    entries = yaml.safe_load(DEFAULT.read_text())["attributes"]["annotators"]
    for entry in entries:
        lines += _entry(load_kind(entry["kind"]), entry.get("name"), paid=bool(entry.get("paid")))
    for kind in sorted(set(kinds()) - {entry["kind"] for entry in entries}):
        lines += _entry(load_kind(kind), None, paid=True)
    lines += ["", "  # Everything else, as it is where nothing is said:"]
    for name, field in CollectionSettings.model_fields.items():
        if name in _ACTIVE:
            continue
        lines += _described(name, field, "  # ")
    return "\n".join(lines) + "\n"


def _entry(kind: type[AnnotatorSettings], name: str | None, paid: bool) -> Iterator[str]:
    """An entry of ``annotators:`` with its settings as comments; what costs money is a comment as a whole."""
    off = "# " if paid else ""
    yield f"    # {' '.join((kind.__doc__ or '').split())}"
    yield f"    {off}- kind: {kind.model_fields['kind'].default}"
    stated = {"name": name, "paid": paid or None} if name else {}
    for said, value in stated.items():
        if value is not None:
            yield f"    {off}  {said}: {_flow(value)}"
    for field, described in kind.model_fields.items():
        if field not in {"kind", "paid", *stated}:
            yield from _described(field, described, f"    {off}  # ")


def _described(name: str, field: FieldInfo, margin: str) -> Iterator[str]:
    block = _block(field.annotation)
    if block is not None:
        yield f"{margin}{name}:  # {field.description}"
        for inner, one in block.model_fields.items():
            yield from _described(inner, one, f"{margin}  ")
        return
    default = field.get_default(call_default_factory=True)
    stated = "" if field.is_required() or default is None else f" {_flow(default)}"
    choices = _choices(field.annotation)
    meaning = f"{field.description or ''}{f' ({choices})' if choices else ''}"
    yield f"{margin}{name}:{stated}  # {' '.join(meaning.split())}".removesuffix("  # ")


def _block(annotation: Any) -> type[Block] | None:
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return annotation
    if get_origin(annotation) is list:
        return None
    return next((found for one in get_args(annotation) if (found := _block(one))), None)


def _choices(annotation: Any) -> str:
    return ", ".join(map(str, get_args(annotation))) if get_origin(annotation) is Literal else ""


def _values(file: CollectionFile) -> Iterator[tuple[str, Any, str]]:
    """Each setting's name, value and origin; of what must not be shown only whether it is set."""
    settings = file.settings

    def of(block: Block, prefix: str, place: list[str | int]) -> Iterator[tuple[str, Any, str]]:
        said = block.model_dump(mode="json")
        for name, field in type(block).model_fields.items():
            shown = said[name] if field.repr or said[name] is None else "(set)"
            yield f"{prefix}.{name}", shown, _origin(file, [*place, name])

    for name in CollectionSettings.model_fields:
        value = getattr(settings, name)
        if name == "annotators":
            for place, entry in enumerate(value):
                yield from of(entry, entry.name, [name, place])
        elif isinstance(value, Block):
            yield from of(value, name, [name])
        else:
            yield name, value, _origin(file, [name])


def _origin(file: CollectionFile, place: list[str | int]) -> str:
    origin = file.origin(place)
    return "default" if origin.startswith(f"{DEFAULT.name}:") and is_default(file) else origin


def _flow(value: Any) -> str:
    """The value as a file would say it, in one line."""
    text = yaml.safe_dump(
        to_jsonable_python(value), default_flow_style=True, allow_unicode=True, width=10_000
    )
    return text.removesuffix("\n").removesuffix("\n...")
