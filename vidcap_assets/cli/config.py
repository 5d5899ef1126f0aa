"""``vidcap init`` and ``vidcap config``: a collection file to begin with, what is in force, what can be set."""

import json
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from resources.annotation.block import Block
from resources.annotation.declaration import kinds
from vidcap_assets.cli.in_force import collection_file, is_default, tell_left_out
from vidcap_assets.cli.output import Json, console, fail, print_result, tell, typed
from vidcap_assets.collection.blocks import DEMO_SOURCE
from vidcap_assets.collection.file import DEFAULT, CollectionFile
from vidcap_assets.collection.settings import CollectionSettings, model

_FILE = "vidcap.yaml"
_TEMPLATE = DEFAULT.with_name("new.yaml")


def init(
    source: Annotated[
        str, typer.Option(help="Folder, or .csv/.parquet list with a column `path`.")
    ] = DEMO_SOURCE,
    home: Annotated[str, typer.Option(help="Where everything is kept.")] = "data",
    as_json: Json = False,
) -> None:
    """Write a collection file, vidcap.yaml, with an entry of each kind of annotator; change it as you like."""
    path = Path(_FILE).absolute()
    text = Template(_TEMPLATE.read_text()).substitute(source=_json(source), home=_json(home))
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        fail(f"{path} is there already, and is left as it is")
    settings = CollectionFile.at(path).settings
    print_result({"file": path, "left_out": settings.left_out})
    tell(f"[green]✓[/green] {escape(str(path))}. Next: edit it, then: {typed('run')}")
    tell_left_out(settings)


def config(
    all_kinds: Annotated[
        bool, typer.Option("--kinds", help="Instead: all that can be set, for every kind of annotator.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the settings in force and where each comes from: the file's line, a variable, or the default."""
    if all_kinds:
        _print_kinds()
        return
    file = collection_file()
    values = list(_values(file))
    settings = {name: {"value": value, "from": origin} for name, value, origin in values}
    print_result({"file": file.path, "settings": settings, "left_out": file.settings.left_out})
    console.print("no collection file; `vidcap init` writes one" if is_default(file) else str(file.path))
    table = Table("setting", "value", "from", box=None)
    for name, value, origin in values:
        table.add_row(name, escape(_shown(value)), f"[dim]{origin}[/dim]" if origin == "default" else origin)
    console.print(table)
    tell_left_out(file.settings)


def _print_kinds() -> None:
    schema = model(kinds()).model_json_schema()
    print_result(schema)
    for name, block in {"attributes": schema, **schema["$defs"]}.items():
        if (fields := block.get("properties")) is None:
            continue  # a closed set of values
        kind = fields.pop("kind", {}).get("const")
        meaning = escape(" ".join(block.get("description", "").split()))
        tell(f"\n[bold]{f'kind: {kind}' if kind else name.lower()}[/bold]  {meaning}")
        table = Table("setting", "default", "meaning", box=None)
        for setting, one in fields.items():
            default = one.get("default")
            shown = "" if default is None or isinstance(default, dict) else _shown(default)
            table.add_row(setting, escape(shown), escape(one.get("description", "")))
        console.print(table)


def _values(file: CollectionFile) -> Iterator[tuple[str, Any, str]]:
    """Each setting's name, value and origin; of what must not be shown only whether it is set."""

    def of(block: Block, prefix: str, place: list[str | int]) -> Iterator[tuple[str, Any, str]]:
        said = block.model_dump(mode="json")
        for name, field in type(block).model_fields.items():
            shown = said[name] if field.repr or said[name] is None else "(set)"
            yield f"{prefix}.{name}", shown, _origin(file, [*place, name])

    for name in CollectionSettings.model_fields:
        value = getattr(file.settings, name)
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


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    """The value in one line, as a file can say it: what is JSON is YAML too."""
    return json.dumps(value, ensure_ascii=False)
