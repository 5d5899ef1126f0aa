"""What a collection file may say, and what follows from it: assets, their order, the names they go by."""

from collections.abc import Iterable, Iterator
from functools import cache, cached_property, reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
from pydantic import BeforeValidator, Field, create_model

from resources.annotation.block import Block
from resources.annotation.declaration import (
    CAPTIONS,
    LABELS,
    NAME,
    PIXELS,
    SCORES,
    SOURCE_TEXT,
    TAGS,
    TEXT,
    AnnotatorSettings,
    Declaration,
    Role,
    kinds,
)
from resources.annotation.tables import merged_columns
from resources.dataset.export_set import ExportSet
from resources.errors import VidcapError
from vidcap_assets.collection.blocks import (
    DEMO_SOURCE,
    Automation,
    Decode,
    Lake,
    Source,
    Text,
    Warehouse,
)
from vidcap_assets.collection.shards import ShardPartitions, shard_partitions

# Resource keys, assets, columns and tables that are there in every collection: no annotator can be called so.
_RESERVED = """
source decode lake warehouse text video_index raw_meta captioned_videos category_distribution caption_gallery
training_set recipes annotations annotators captions chosen captioned
"""
RESERVED = {*_RESERVED.split(), *(column.name for column in merged_columns(()))}

READABLE = (PIXELS, TEXT, SOURCE_TEXT, CAPTIONS, LABELS, TAGS, SCORES)
FREE_JOB = "caption_videos"


class CollectionError(VidcapError):
    """The collection file is wrong; the message says where, and what was expected."""


def _short(field: str) -> BeforeValidator:
    """Let a plain text stand for the block with this field alone."""
    return BeforeValidator(lambda value: {field: value} if isinstance(value, str) else value)


def _split(value: Any) -> Any:
    """Let names that are separated by commas stand for a list."""
    return [one.strip() for one in value.split(",") if one.strip()] if isinstance(value, str) else value


class CollectionSettings(Block):
    """A collection: where its clips are, who annotates them, which caption is the text."""

    name: str | None = Field(
        default=None,
        pattern=NAME,
        description="Tells collections of one Dagster instance apart: it stands before every name.",
    )
    home: str = Field(
        default_factory=lambda: str(Path("data").absolute()),
        description="Folder (or s3://… URI) of lake, journal, warehouse, reports and exports.",
    )
    warehouse: Annotated[Warehouse, _short("uri")] | None = Field(
        default=None,
        description="The DuckDB file with the merged tables; default: vidcap.duckdb in the home.",
    )
    source: Annotated[Source, _short("uri")] = Field(default=Source(), description="The clips to caption.")
    decode: Decode = Field(default=Decode(), description="The child processes in which files are opened.")
    annotators: list[AnnotatorSettings] = Field(
        default=[], description="Who says something of each clip: captioners, camera motion, tags, …"
    )
    text: Text = Field(default=Text(), description="Which caption becomes the text of a clip.")
    exports: list[ExportSet] = Field(
        default=[],
        description="Sets of files for training tools, each an asset: {name: wan, preset: sidecar}.",
    )
    automation: Automation = Field(default=Automation(), description="What happens by itself.")
    shards_per_run: int = Field(
        default=8, gt=0, description="Shards at most that share a run, and so one loading of a model."
    )
    owners: Annotated[list[str], BeforeValidator(_split)] = Field(
        default=[], description="Who the UI says the assets belong to: team:video, me@example.org."
    )

    @property
    def is_demo(self) -> bool:
        """Are the clips those that come with the package?"""
        return self.source.uri == DEMO_SOURCE

    @cached_property
    def working(self) -> tuple[AnnotatorSettings, ...]:
        """The annotators that have what they need, in the order of the file.

        The demonstration models serve the demo collection; elsewhere only one that is named is used.
        """
        ready = (one.for_demo() if self.is_demo else one for one in self.annotators)
        return tuple(one for one in ready if one.missing() is None)

    @property
    def left_out(self) -> dict[str, str]:
        """The annotators that have not what they need, by name, with a sentence on what they lack."""
        names = {one.name for one in self.working}
        return {one.name: one.missing() or "" for one in self.annotators if one.name not in names}

    @property
    def demo_models(self) -> list[str]:
        """The annotators that answer with a demonstration model although the clips are not the demo's."""
        return [one.name for one in self.working if one.uses_demo_model and not self.is_demo]

    @property
    def demo_by_default(self) -> set[str]:
        """The annotators that name no model and so answer with a demonstration model, for the demo clips alone."""
        named = {one.name for one in self.annotators if one.uses_demo_model}
        return {one.name for one in self.working if one.uses_demo_model} - named

    @cached_property
    def declared(self) -> tuple[Declaration, ...]:
        """The annotation assets, in the order of the file."""
        return tuple(each for one in self.working for each in one.declares())

    @property
    def captions(self) -> list[str]:
        """The assets of the captioners."""
        return [each.asset for each in self.declared if each.role is Role.CAPTION]

    @property
    def text_order(self) -> list[str]:
        """Whose caption may be the text, the preferred one first: assets, and ``source`` where it is named."""
        named = [caption_asset(name) for name in self.text.order]
        return [
            name for name in named if name in {*self.captions, SOURCE_TEXT, *_parts(self.declared)}
        ] or self.captions

    def read_order(self, order: Iterable[str]) -> list[str]:
        """The captions that an order of texts names, and ``source``: what is read as the text; else all captions."""
        named = map(caption_asset, order)
        return [name for name in named if name in {*self.captions, SOURCE_TEXT}] or self.captions

    def upstream(self, one: Declaration) -> list[str]:
        """The assets whose answers an annotator reads."""
        of = {
            role: [each.asset for each in self.declared if each.role is role and each != one] for role in Role
        }
        groups = {
            PIXELS: [],
            SOURCE_TEXT: [],
            TEXT: [name for name in self.read_order(self.text.order) if name != SOURCE_TEXT],
        }
        groups |= {
            CAPTIONS: self.captions,
            LABELS: of[Role.LABEL],
            TAGS: of[Role.TAGS],
            SCORES: of[Role.SCORE],
        }
        return list(dict.fromkeys(asset for name in one.reads for asset in groups.get(name, [name])))

    def readers(self, one: AnnotatorSettings) -> list[AnnotatorSettings]:
        """The unpaid annotators that read an answer of this one, directly or through others."""
        found: list[AnnotatorSettings] = []
        assets = {each.asset for each in one.declares()}
        for other in self.working:  # an annotator reads only what stands above it, or captions
            mine = other.declares()
            if not other.paid and other != one and any(assets & {*self.upstream(each)} for each in mine):
                found.append(other)
                assets |= {each.asset for each in mine}
        return found

    @property
    def caption_jobs(self) -> dict[str, list[AnnotatorSettings]]:
        """The jobs over a shard: one for all unpaid annotators, one for each paid one and what reads it."""
        paid = [one for one in self.working if one.paid]
        free = {FREE_JOB: [one for one in self.working if not one.paid]}
        return free | {f"{FREE_JOB}_{one.name}": [one, *self.readers(one)] for one in paid}

    def key(self, asset: str) -> dg.AssetKey:
        """The key of an asset of this collection."""
        return dg.AssetKey([self.name, asset] if self.name else [asset])

    def label(self, name: str) -> str:
        """What a job, sensor, resource or step of this collection is called."""
        return f"{self.name}_{name}" if self.name else name

    def given(self, context: dg.AssetExecutionContext, name: str) -> Any:
        """The block of this name, or the entry of this key, as the run's configuration leaves it."""
        return getattr(context.resources, self.label(name))

    def op(self, asset: str) -> str:
        """The step that makes an asset which no annotator gives."""
        return self.key(asset).to_python_identifier()

    @cached_property
    def shards(self) -> ShardPartitions:
        """The shards as partitions; each collection has its own."""
        return shard_partitions(self.label("shards"), self.home)

    @cached_property
    def backfill_policy(self) -> dg.BackfillPolicy:
        """How many shards one run takes."""
        return dg.BackfillPolicy.multi_run(max_partitions_per_run=self.shards_per_run)

    @property
    def lake_block(self) -> Lake:
        """The lake in the home."""
        return Lake(root=self.home)

    @property
    def warehouse_block(self) -> Warehouse:
        """The warehouse that is named, else the one in the home."""
        return self.warehouse or Warehouse(uri=f"{self.home}/vidcap.duckdb")

    def faults(self) -> Iterator[tuple[list[str | int], str]]:
        """What does not fit together, each with its place in the file."""
        if ":" in self.warehouse_block.uri:
            yield (
                ["warehouse"],
                f"{self.warehouse_block.uri}: the warehouse is a DuckDB file on this machine; name its path",
            )
        seen: dict[str, str] = {}
        declared = [each for one in self.annotators for each in one.declares()]
        captions = [each.asset for each in declared if each.role is Role.CAPTION]
        for place, one in enumerate(self.annotators):
            names = [one.name, one.key, one.step]
            names += [
                name for each in one.declares() for name in (each.asset, *(c.name for c in each.in_table))
            ]
            for name in dict.fromkeys(names):
                if name in RESERVED:
                    yield (
                        ["annotators", place, "name"],
                        f"{name!r} is a name of vidcap's own: give it another name",
                    )
                elif name in seen:
                    yield (
                        ["annotators", place],
                        f"{name!r} is taken by the entry {seen[name]!r} above: give it another name",
                    )
            seen |= dict.fromkeys(names, one.name)
            for each in one.declares():
                for name in each.reads:
                    if name not in {*READABLE, *(d.asset for d in declared)}:
                        yield ["annotators", place], f"it reads {name!r}, which no entry of annotators: gives"
        for place, export in enumerate(self.exports):
            if sentence := export.fault([one.name for one in self.exports[:place]]):
                yield ["exports", place], sentence
        for place, name in enumerate(self.text.order):
            if caption_asset(name) not in {*captions, SOURCE_TEXT, *_parts(declared)}:
                short = [asset.removeprefix("captions_") for asset in captions]
                there = ", ".join([*short, SOURCE_TEXT, *_parts(declared)])
                yield ["text", "order", place], f"there is no captioner {name!r}; there are {there}"


def caption_asset(name: str) -> str:
    """The asset of a captioner that is named short (``qwen``) or by its asset (``captions_qwen``).

    A field of a structured caption (``structured.medium``) stays as it is.
    """
    return name if name == SOURCE_TEXT or name.startswith("captions_") or "." in name else f"captions_{name}"


def _parts(declared: Iterable[Declaration]) -> list[str]:
    """The fields of structured captions that may be the text, as ``entry.field``."""
    return [part for one in declared for part in one.parts]


def model(names: Iterable[str]) -> type[CollectionSettings]:
    """The settings whose annotators are of these kinds."""
    return _model(tuple(sorted(set(names))))


@cache
def _model(names: tuple[str, ...]) -> type[CollectionSettings]:
    classes = [load_kind(name) for name in names] or [AnnotatorSettings]
    entry: Any = reduce(or_, classes)
    if len(classes) > 1:
        entry = Annotated[entry, Field(discriminator="kind")]
    annotators = CollectionSettings.model_fields["annotators"]
    return create_model(
        "Collection",
        __base__=CollectionSettings,
        annotators=(list[entry], Field(default=[], description=annotators.description)),
    )


def load_kind(name: str) -> type[AnnotatorSettings]:
    """The settings of a kind of annotator.

    Raises:
        CollectionError: it is not installed, or its package cannot be imported.
    """
    point = kinds().get(name)
    if point is None:
        there = ", ".join(sorted(kinds())) or "none: install vidcap again (pip install -e .)"
        raise CollectionError(f"there is no kind {name!r} of annotator; installed are {there}")
    try:
        return point.load()
    except Exception as error:
        raise CollectionError(f"the kind {name!r} ({point.value}) cannot be loaded: {error}") from error
