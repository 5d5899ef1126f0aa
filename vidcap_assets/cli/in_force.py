"""The collection file that a command goes by."""

import os
from pathlib import Path

from resources.demo.source import CLIPS
from resources.lake.lake import Lake
from vidcap_assets.cli.output import tell
from vidcap_assets.collection.file import DEFAULT, CollectionFile, files_in_force, pinned
from vidcap_assets.collection.settings import CollectionError, CollectionSettings

SOURCE_VARIABLE = "VIDCAP_SOURCE"


def collection_file(*, pin: bool = False) -> CollectionFile:
    """The one file in force; with ``pin`` all processes that the command starts go by it as it is now.

    Raises:
        CollectionError: it is wrong, there are several, or its home is a file.
    """
    files = files_in_force()
    if len(files) > 1:
        there = ", ".join(map(str, files))
        raise CollectionError(f"{len(files)} collection files are in force ({there}): name one with --config")
    file = pinned(files[0]) if pin else CollectionFile.at(files[0])
    home = file.settings.home
    if Path(home).is_file():
        raise CollectionError(f"{home} is a file; the home must be a folder")
    return file


def collection() -> CollectionSettings:
    """The settings of :func:`collection_file`."""
    return collection_file().settings


def is_default(file: CollectionFile) -> bool:
    """Is no file in force but the package's own?"""
    return file.path == DEFAULT


def keep_off_the_demo() -> None:
    """Without a file and a source, take the clips that the home holds for what they are, and not for the demo's.

    Else the demonstration models would answer for clips of one's own that ``vidcap run FOLDER`` has indexed.
    """
    file = collection_file()
    lake = Lake(file.settings.home)
    if not is_default(file) or os.environ.get(SOURCE_VARIABLE) or not (shards := lake.shards()):
        return
    demo = (CLIPS, Path(file.settings.home, "demo").absolute())  # where 0.1.0 had rendered them
    folders = {Path(clip.path).parent for clip in lake.manifest(shards[0])}
    if not all(any(folder.is_relative_to(one) for one in demo) for folder in folders):
        os.environ[SOURCE_VARIABLE] = os.path.commonpath(folders)


def tell_left_out(settings: CollectionSettings) -> None:
    """One sentence for each annotator that does not work here, and for what answers with a demonstration model."""
    sentences = [f"left out: {sentence}" for sentence in settings.left_out.values()]
    if names := ", ".join(settings.demo_models):
        sentences.append(f"{names}: a demonstration model, which knows the demo clips and nothing else")
    for sentence in sentences:
        tell(f"! {sentence}", style="yellow", markup=False)
