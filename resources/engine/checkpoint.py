"""Where a model's files are, and what identifies them."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.annotation.outcome import AnnotatorError
from resources.engine.fingerprint import fingerprint_folder

MODEL_FILES = ("*.json", "*.safetensors", "*.model", "*.jinja", "*.txt")
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
            raise AnnotatorError(
                f"the model '{model}' is neither a folder nor a hub id (owner/name[@revision])",
                retryable=False,
            )
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
                snapshot_download(self.source, revision=self.revision, allow_patterns=list(MODEL_FILES))
            )
        except (OSError, ValueError) as error:
            raise self._unreachable(error) from error

    def identity(self, cache: Path | None = None) -> dict[str, str]:
        """What a recipe records: the hub commit, or the fingerprint of a folder's files.

        Raises:
            AnnotatorError: there is no ``config.json``, or the hub cannot be reached.
        """
        if self.local:
            return {"model": self.name, "weights": fingerprint_folder(Path(self.source), MODEL_FILES, cache)}
        config = self.file("config.json") or self.file("adapter_config.json")
        if config is None:
            raise AnnotatorError(
                f"the hub repository '{self.source}' has no config.json: not a model", retryable=False
            )
        return {"model": self.source, "revision": config.parent.name}

    def _unreachable(self, error: Exception) -> AnnotatorError:
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

        return AnnotatorError(
            f"cannot get the model '{self.source}' from the hub ({type(error).__name__}: {error}); "
            "accept its licence and log in (`hf auth login`), or give a local folder",
            retryable=not isinstance(error, RepositoryNotFoundError | RevisionNotFoundError),
        )
