"""Where a model's files are, and what identifies them."""

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.annotation.outcome import AnnotatorError, SetupError
from resources.engine.fingerprint import fingerprint_files

MODEL_FILES = ("*.json", "*.safetensors", "*.bin", "*.model", "*.jinja", "*.txt", "*.tiktoken")
# What 0.1.0 took for the identity of a folder.
_FORMER_FILES = ("*.json", "*.safetensors", "*.model", "*.jinja", "*.txt")
_READ = re.compile(
    r"(?:config|generation_config|adapter_config|(?:image_|video_)?pre?processor_config|processor_config|video_processor_config"
    r"|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|chat_template)\.json"
    r"|chat_template\.jinja|vocab\.txt|merges\.txt|.*\.(?:model|tiktoken)|.*\.index\.json"
)
_WEIGHTS = re.compile(r"(?:model|adapter_model|pytorch_model)(?:[-.]\d.*)?\.(safetensors|bin)")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A local folder, or a hub repository (``owner/name`` or ``owner/name@revision``)."""

    source: str
    revision: str | None = None
    local: bool = True

    @classmethod
    def locate(cls, model: str | Path) -> "Checkpoint":
        """Tell a folder from a hub id; nothing is downloaded.

        Raises:
            AnnotatorError: it is neither.
        """
        if Path(model).expanduser().is_dir():
            return cls(str(Path(model).expanduser().resolve()))
        hub_id, _, revision = str(model).partition("@")
        if not _HUB_ID.fullmatch(hub_id):
            raise SetupError(f"the model '{model}' is neither a folder nor a hub id (owner/name[@revision])")
        return cls(hub_id, revision or None, local=False)

    @property
    def name(self) -> str:
        """The hub id, or the folder's own name (not its path: moving a folder changes no answer)."""
        return Path(self.source).name if self.local else self.source

    def file(self, name: str) -> Path | None:
        """The path of one small file of the checkpoint, downloaded if need be; ``None`` if it has none.

        Raises:
            AnnotatorError: the hub cannot be reached, or refuses the repository.
        """
        if self.local:
            path = Path(self.source) / name
            return path if path.is_file() else None
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

        try:
            return Path(hf_hub_download(self.source, name, revision=self.revision))
        except LocalEntryNotFoundError as error:
            raise self._unreachable(error) from error
        except EntryNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise self._unreachable(error) from error

    def json(self, name: str) -> dict[str, Any]:
        """The content of one JSON file, empty if the checkpoint has no such file."""
        path = self.file(name)
        return json.loads(path.read_text()) if path else {}

    def folder(self) -> Path:
        """The folder with all files, downloaded if need be.

        Raises:
            AnnotatorError: the download failed.
        """
        if self.local:
            return Path(self.source)
        from huggingface_hub import snapshot_download

        try:
            return Path(
                snapshot_download(self.source, revision=self._commit(), allow_patterns=list(MODEL_FILES))
            )
        except (OSError, ValueError) as error:
            raise self._unreachable(error) from error

    def identity(self, cache: Path | None = None) -> dict[str, str]:
        """What a recipe records: the hub commit, or the fingerprint of the files that are loaded from a folder.

        Raises:
            AnnotatorError: there is no ``config.json``, or the hub cannot be reached.
        """
        if self.local:
            return {"model": self.name, "weights": fingerprint_files(self._loaded(), cache)}
        return {"model": self.source, "revision": self._commit()}

    def _commit(self) -> str:
        """What the name of a hub repository, or its revision, stands for now."""
        config = self.file("config.json") or self.file("adapter_config.json")
        if config is None:
            raise SetupError(f"the hub repository '{self.source}' has no config.json: not a model")
        return config.parent.name

    def formerly(self, cache: Path | None = None) -> dict[str, str]:
        """The same as 0.1.0 recorded it: every file that looked like one of a model's, and no ``.bin``."""
        if not self.local:
            return self.identity(cache)
        folder = Path(self.source)
        files = sorted({path for pattern in _FORMER_FILES for path in folder.glob(pattern) if path.is_file()})
        return (
            {"model": self.name, "weights": fingerprint_files(files, cache)}
            if files
            else self.identity(cache)
        )

    def _loaded(self) -> list[Path]:
        """The files of the folder that make up the model: weights, and whatever is read beside them.

        Raises:
            AnnotatorError: there are none.
        """
        files = sorted(path for path in Path(self.source).iterdir() if path.is_file())
        named = {name for path in files if path.name.endswith(".index.json") for name in _shards(path)}
        weights = [path for path in files if path.name in named or _WEIGHTS.fullmatch(path.name)]
        # Where there are both, the library loads safetensors.
        if safe := [path for path in weights if path.suffix == ".safetensors"]:
            weights = safe
        if found := [*weights, *(path for path in files if _READ.fullmatch(path.name))]:
            return found
        raise SetupError(f"the folder '{self.source}' holds no model files")

    def require_config(self) -> None:
        """Refuse what is no whole model: without a config, with half of one, an adapter alone, or with code of its own.

        Raises:
            AnnotatorError: in one sentence.
        """
        try:
            config = self.json("config.json")
        except ValueError as error:
            raise SetupError(
                f"config.json of '{self.source}' is no JSON ({error}): fetch it again"
            ) from error
        if not config and self.file("adapter_config.json"):
            raise SetupError(f"'{self.source}' is an adapter and no model: name its base as model")
        if not config:
            raise SetupError(f"'{self.source}' has no config.json: it is no model")
        from transformers import CONFIG_MAPPING

        kind = config.get("model_type")
        if kind not in CONFIG_MAPPING and "pooling_shape" not in config:
            own = "needs code of its own, which is not run, or" if "auto_map" in config else "needs"
            raise SetupError(
                f"'{self.source}' is of the kind {kind!r} and {own} a newer transformers library"
            )

    def check(self) -> None:
        """Refuse weights of which a file is missing or cut short, before anything is decoded for them.

        Raises:
            AnnotatorError: naming the file.
        """
        folder = self.folder()
        for index in sorted(folder.glob("*.index.json")):
            if missing := [name for name in _shards(index) if not (folder / name).is_file()]:
                others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
                raise SetupError(
                    f"'{folder / missing[0]}'{others} is missing, which {index.name} names: fetch it again"
                )
        for file in (*sorted(folder.glob("*.safetensors")), *sorted(folder.glob("*.bin"))):
            if (whole := _whole_size(file)) is not None:
                raise SetupError(
                    f"'{file}' is cut short ({file.stat().st_size} bytes{whole}): fetch it again"
                )

    def _unreachable(self, error: Exception) -> AnnotatorError:
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

        return AnnotatorError(
            f"cannot get the model '{self.source}' from the hub ({type(error).__name__}: {error}); "
            "accept its licence and log in (`hf auth login`), or give a local folder",
            retryable=not isinstance(error, RepositoryNotFoundError | RevisionNotFoundError),
        )


def _shards(index: Path) -> list[str]:
    try:
        return sorted(set(json.loads(index.read_text()).get("weight_map", {}).values()))
    except (ValueError, AttributeError, TypeError) as error:
        raise SetupError(f"'{index}' cannot be read ({error}): fetch it again") from error


def _whole_size(file: Path) -> str | None:
    """How long a weight file that is cut short should be, as far as it says so; ``None`` for one that is whole.

    A safetensors file begins with the length of its header, which tells where each tensor ends; a pickled one is a
    zip archive, which ends with its list of contents.
    """
    size = file.stat().st_size
    with file.open("rb") as opened:
        start = opened.read(8)
        if file.suffix == ".bin":
            return "" if size == 0 or (start[:2] == b"PK" and not zipfile.is_zipfile(opened)) else None
        length = int.from_bytes(start, "little")
        if size < 8 + length:
            return " without the end of its header" if length < 2**32 else ", and no safetensors file"
        try:
            header = json.loads(opened.read(length))
            ends = [each["data_offsets"][1] for name, each in header.items() if name != "__metadata__"]
        except (ValueError, AttributeError, TypeError, KeyError):
            return ", and no safetensors file"
    whole = 8 + length + max(ends, default=0)
    return f" of {whole}" if size < whole else None
