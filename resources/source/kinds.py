"""What a file is called: the first guess at what it is, and the folders in which nobody keeps clips."""

from pathlib import Path

from resources.annotation.clip import Kind

VIDEO_SUFFIXES = frozenset(
    {
        ".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".divx", ".mpg", ".mpeg", ".mpe", ".m1v", ".m2v",
        ".m2ts", ".m2t", ".mts", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".ogv", ".ogm", ".vob", ".mxf",
        ".rm", ".rmvb", ".y4m", ".ivf", ".nut", ".h264", ".h265", ".hevc", ".mjpeg", ".dv", ".gif", ".apng",
    }
)  # fmt: skip
IMAGE_SUFFIXES = frozenset(
    {
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".heic", ".heif", ".hif", ".bmp", ".dib", ".tif",
        ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2", ".j2k", ".jpx", ".psd", ".dds", ".sgi", ".qoi",
    }
)  # fmt: skip
SYSTEM_FOLDERS = frozenset(
    {
        "@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "$recycle.bin", "recycler", "recycled",
        "system volume information", "lost+found", "__macosx", "__pycache__", "found.000",
    }
)  # fmt: skip
"""Folders of NAS devices, bins and file systems, in small letters."""


def named_kind(path: Path) -> Kind | None:
    """What the name promises; ``None`` for a name that tells nothing, such as ``clip.ts`` or ``clip``."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return Kind.IMAGE
    return Kind.VIDEO if suffix in VIDEO_SUFFIXES else None


def kind_of(path: Path) -> Kind:
    """The same for a file that somebody lists as a clip: a video where the name tells nothing."""
    return named_kind(path) or Kind.VIDEO
