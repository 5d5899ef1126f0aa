"""The lake: Parquet files below ``VIDCAP_HOME``, one for each asset × shard; the truth of the platform."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from upath import UPath

from resources.annotation.clip import Clip, Kind
from resources.annotation.recipe import Recipe
from resources.annotation.store import ShardStore
from resources.errors import ShardError, VidcapError
from resources.lake.left_out import LEFT_OUT_SCHEMA
from resources.lake.shards import IndexedClip, manifest_clips, manifest_table
from resources.storage.files import is_local, locked, read_table, storage_path, write_atomic, write_table

INDEX = "video_index"
META = "raw_meta"
RETIRED = "retired"
_LIBRARIES = ("torch", "transformers", "peft", "av", "pillow", "openai")


_INDEX_LOCK_TIMEOUT_S = 3600


class IndexBusyError(VidcapError):
    """Another process is indexing."""

    retryable = True


class UnknownShardError(ShardError):
    """There is no such shard."""


class NotMaterialisedError(ShardError):
    """What comes before in the asset graph has not been made for this shard yet."""


class StoredRecipe(BaseModel):
    """A recipe that was used, when it was first, and with which versions of the libraries that was.

    ``same_as`` is the fingerprint of an earlier one that it is one with.
    """

    model_config = ConfigDict(frozen=True)

    fingerprint: str
    annotator: str
    recipe: str
    first_seen: datetime
    versions: Mapping[str, str] = Field(default_factory=dict)
    same_as: str | None = None


class Lake:
    """Where everything is kept.

    Below ``root``: ``lake/<asset>/<shard>.parquet``, ``lake/recipes/<fingerprint>.json``,
    ``journal/<annotator>/<shard>/``, and folders for the warehouse, reports and exports.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = storage_path(root)

    def folder(self, name: str) -> UPath:
        """A folder below the root, for what is derived from the lake (``reports``, ``exports``, ``demo``)."""
        return self.root / name

    def local(self, name: str) -> Path | None:
        """The same folder as a path of this machine, ``None`` on an object store."""
        folder = self.folder(name)
        return Path(folder.path) if is_local(folder) else None

    def file(self, asset: str, shard: str) -> UPath:
        """The Parquet file of one asset × shard."""
        return self.root / "lake" / asset / f"{shard}.parquet"

    def shards(self) -> list[str]:
        """The names of all shards, in order, without those that are retired."""
        return self.stored_shards(INDEX)

    def stored_shards(self, asset: str) -> list[str]:
        """The shards for which this asset has a file, in order, without those that are retired."""
        return sorted(self._named(asset) - self._named(RETIRED))

    def all_shards(self) -> list[str]:
        """The names of all shards, in order, with those that are retired."""
        return sorted(self._named(INDEX))

    def _named(self, folder: str) -> set[str]:
        return {path.stem for path in (self.root / "lake" / folder).glob("*.parquet")}

    def require_shard(self, shard: str) -> None:
        """Make sure that the shard exists, and is not retired.

        Raises:
            UnknownShardError: it does not; the message names those that do.
        """
        if self.file(INDEX, shard).exists() and not self.file(RETIRED, shard).exists():
            return
        shards = self.shards()
        there = (
            f"there are {shards[0]} to {shards[-1]}"
            if shards
            else "no clips are indexed yet: run index_videos"
        )
        raise UnknownShardError(f"there is no shard '{shard}' in {self.root} ({there})")

    def retire(self, shard: str) -> UPath:
        """Take a shard out of all lists. Its files stay; without the marker, which is returned, it is back."""
        marker = self.file(RETIRED, shard)
        write_table(marker, read_table(self.file(INDEX, shard)))
        return marker

    def manifest(self, shard: str) -> list[IndexedClip]:
        """The clips of a shard that the source has, as they were indexed."""
        self.require_shard(shard)
        return [clip for clip in self.whole_manifest(shard) if not clip.gone]

    def whole_manifest(self, shard: str) -> list[IndexedClip]:
        """The clips of a shard, retired or not, those that are gone among them."""
        return manifest_clips(read_table(self.file(INDEX, shard)))

    def write_manifest(self, shard: str, clips: Sequence[IndexedClip]) -> None:
        """Write a shard's manifest, whole."""
        write_table(self.file(INDEX, shard), manifest_table(clips))

    @property
    def left_out_file(self) -> UPath:
        """The Parquet file of what of the source is no clip."""
        return self.root / "lake" / "left_out.parquet"

    def left_out(self) -> pa.Table:
        """What of the source is no clip, as of the last index; columns of ``LEFT_OUT_SCHEMA``."""
        file = self.left_out_file
        return read_table(file) if file.exists() else LEFT_OUT_SCHEMA.empty_table()

    @property
    def index_notes(self) -> Path | None:
        """Where an index under way notes what it has read; nowhere on an object store, to which nothing is added."""
        folder = self.local(f"journal/{INDEX}")
        return folder and folder / "contents.jsonl"

    @contextmanager
    def index_lock(self) -> Iterator[None]:
        """One process indexes at a time (on a local lake; object stores have no locks)."""
        sentence = f"another process has been indexing for {_INDEX_LOCK_TIMEOUT_S} s"
        with locked(self.root / "journal" / INDEX, _INDEX_LOCK_TIMEOUT_S, IndexBusyError, sentence):
            yield

    def meta_file(self, shard: str) -> UPath:
        """The raw metadata of a shard.

        Raises:
            NotMaterialisedError: it has not been read yet.
        """
        file = self.file(META, shard)
        if not file.exists():
            raise NotMaterialisedError(f"raw_meta of {shard} has not been materialised yet ({file})")
        return file

    def write_meta(self, shard: str, table: pa.Table) -> None:
        """Write a shard's raw metadata."""
        write_table(self.file(META, shard), table)

    def clips(self, shard: str) -> list[Clip]:
        """The clips of a shard that are there with what the probe found, as annotators take them.

        Raises:
            UnknownShardError: no such shard.
            NotMaterialisedError: its raw metadata has not been read yet.
        """
        there = {clip.id for clip in self.manifest(shard)}
        file = self.meta_file(shard)
        names = [name for name in Clip.__dataclass_fields__ if name != "answers"]
        rows = (row for row in read_table(file, columns=names).to_pylist() if row["id"] in there)
        return [Clip(**{**row, "path": Path(row["path"]), "kind": Kind(row["kind"])}) for row in rows]

    def store(self, recipe: Recipe, shard: str) -> ShardStore:
        """Where the outcomes of a recipe for a shard are kept."""
        return ShardStore(
            self.file(recipe.annotator, shard),
            self.root / "journal" / recipe.annotator / shard,
            shard=shard,
            recipe=recipe,
        )

    def settled(self, recipe: Recipe) -> Recipe:
        """The recipe under the fingerprint that its rows have here: that of the first one which is the same.

        A recipe as an earlier version wrote it is taken over once, by the first recipe that claims it.
        """
        stored = self._recipe_files()
        if (here := stored.get(recipe.own_fingerprint)) is not None:
            return replace(recipe, known_as=here.same_as)
        taken = {each.same_as for each in stored.values()}
        for each in stored.values():
            if each.annotator == recipe.annotator and each.same_as is None:
                claims = bool(recipe.formerly) and each.fingerprint not in taken
                if any(recipe.is_one_with(each.recipe, formerly=old) for old in (False, *[True] * claims)):
                    return replace(recipe, known_as=each.fingerprint)
        return recipe

    def remember(self, recipe: Recipe) -> None:
        """Keep the recipe's text, once, so that a fingerprint can always be read, with the versions that answered."""
        file = self._recipe_folder / f"{recipe.own_fingerprint}.json"
        if not file.exists():
            stored = StoredRecipe(
                fingerprint=recipe.own_fingerprint,
                annotator=recipe.annotator,
                recipe=recipe.canonical_json,
                first_seen=datetime.now(UTC),
                versions=library_versions(),
                same_as=recipe.known_as if recipe.known_as != recipe.own_fingerprint else None,
            )
            write_atomic(file, stored.model_dump_json(exclude_none=True).encode())

    @property
    def _recipe_folder(self) -> UPath:
        return self.root / "lake" / "recipes"

    def _recipe_files(self) -> dict[str, StoredRecipe]:
        """What is remembered, by fingerprint, the oldest first."""
        found = [
            StoredRecipe.model_validate_json(path.read_text()) for path in self._recipe_folder.glob("*.json")
        ]
        found.sort(key=lambda recipe: (recipe.first_seen, recipe.fingerprint))
        return {each.fingerprint: each for each in found}

    def recipes(self) -> list[StoredRecipe]:
        """Every recipe that rows are marked with, oldest first."""
        return [recipe for recipe in self._recipe_files().values() if recipe.same_as is None]


def library_versions() -> dict[str, str]:
    """The installed versions of the libraries that compute answers; none of them is imported for it."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
