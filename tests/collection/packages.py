"""Packages that bring annotators of their own, without an installation: a module and its entry points on a path."""

from pathlib import Path


def make_package(folder: Path, name: str, source: str, kinds: dict[str, str]) -> Path:
    """Write ``name.py`` and the metadata that declares ``kinds`` (kind: class); the folder is for ``PYTHONPATH``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(source)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    points = "".join(f"{kind} = {name}:{cls}\n" for kind, cls in kinds.items())
    (info / "entry_points.txt").write_text(f"[vidcap.annotators]\n{points}")
    return folder
