"""An annotator for tests of what runs around a captioner: it answers with ids, and does what files tell it to."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from resources.annotation.annotator import Annotator
from resources.annotation.clip import Clip
from resources.annotation.declaration import AnnotatorSettings, Column, Declaration, Role, Scene
from resources.annotation.outcome import Answer, ClipError, ErrorKind
from tests.annotation.echo import EchoAnnotator
from vidcap_assets.collection.settings import CollectionSettings


class Echo(AnnotatorSettings):
    """Captions each clip with its id.

    Below ``folder``: every batch is noted in ``calls.txt`` (process and ids) before time is taken over it; clips that
    are named in ``poison`` fail. The batch that is the ``hangs_at``-th of the test's hangs until it is killed.
    """

    misbehave: ClassVar[Callable[[Sequence[str]], None] | None] = None
    pool: ClassVar[str | None] = "gpu"
    kind: str = "echo"
    name: str = "llava"
    folder: str | None = Field(default_factory=lambda: os.environ.get("ECHO_FOLDER"))
    prompt: str = Field(default_factory=lambda: os.environ.get("ECHO_PROMPT", ""))
    batch_size: int = 4
    batch_seconds: float = Field(default_factory=lambda: float(os.environ.get("ECHO_BATCH_SECONDS", "0")))
    hangs_at: int = Field(default_factory=lambda: int(os.environ.get("ECHO_HANGS_AT", "0")))

    @property
    def step(self) -> str:
        return f"captions_{self.name}"

    def declares(self) -> tuple[Declaration, ...]:
        column = Column(f"caption_{self.name}", meaning="the id")
        return (Declaration(self.step, Role.CAPTION, (column,), "An echo."),)

    @contextmanager
    def open(self, scene: Scene) -> Iterator[Mapping[str, Annotator]]:
        yield {self.step: ToldEcho(self)}


class ToldEcho(EchoAnnotator):
    def __init__(self, settings: Echo) -> None:
        super().__init__(settings.step, settings.batch_size, settings.prompt, type(settings).misbehave)
        self._settings = settings

    def annotate(self, batch: Sequence[Clip]) -> list[Answer | ClipError]:
        if self._settings.folder is None:
            return super().annotate(batch)
        folder = Path(self._settings.folder)
        with open(folder / "calls.txt", "a") as calls:
            calls.write(f"{os.getpid()} {' '.join(clip.id for clip in batch)}\n")
        if len((folder / "calls.txt").read_text().splitlines()) == self._settings.hangs_at:
            time.sleep(600)
        time.sleep(3 if (folder / "slow").exists() else self._settings.batch_seconds)
        told = folder / "poison"
        poison = told.read_text().split() if told.exists() else []
        return [
            ClipError(ErrorKind.INTERNAL, "poisoned") if Path(clip.path).stem in poison else answer
            for clip, answer in zip(batch, super().annotate(batch), strict=True)
        ]


def echoing(home: Path | str, source: Path | str, **settings: Any) -> CollectionSettings:
    """A collection whose only annotator is an :class:`Echo`."""
    return CollectionSettings(
        **{"home": str(home), "source": str(source), "annotators": [Echo()], "decode": {"workers": 1}}
        | settings
    )
