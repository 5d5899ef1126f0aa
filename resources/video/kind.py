"""What a file is by its content. Runs inside an isolated worker."""

from pathlib import Path

from PIL import Image

from resources.annotation.clip import Kind
from resources.annotation.outcome import ClipError, undecodable
from resources.video.budget import Budget
from resources.video.images import PILLOW_ERRORS
from resources.video.streams import UNREADABLE, open_media, picture_stream

NEITHER = "neither a video nor an image"
_MAY_MOVE = frozenset({"GIF", "PNG", "WEBP", "AVIF"})
# Formats that begin with a signature: Pillow takes much else for pictures that are none.
_PICTURES = (
    *sorted(_MAY_MOVE),
    *("JPEG", "MPO", "HEIF", "BMP", "TIFF", "PPM", "JPEG2000", "PSD", "ICO", "ICNS", "DDS", "SGI", "QOI"),
)
# FFmpeg's names of formats that hold streams; coded video without one is guessed from too few bytes.
_CONTAINERS = frozenset(
    {
        "mov", "matroska", "avi", "mpeg", "mpegts", "asf", "flv", "ogg", "mxf", "nut", "rm", "ivf", "yuv4mpegpipe",
        "dv", "swf", "gxf",
    }
)  # fmt: skip


def kind_by_content(path: Path, named: Kind | None) -> Kind:
    """What a regular file is, animations being videos. One that is neither is what its name says: the probe tells why.

    Raises:
        ClipError: its name says nothing, and it is neither.
        OSError: it cannot be read.
    """
    Image.init()
    try:
        with Image.open(path, formats=_PICTURES) as image:
            moves = image.format in _MAY_MOVE and getattr(image, "is_animated", False)
            return Kind.VIDEO if moves else Kind.IMAGE
    except PILLOW_ERRORS:
        if named is Kind.VIDEO:
            return named
    reason = NEITHER
    try:
        with open_media(path, headers_only=True) as container:
            if container.format.name.partition(",")[0] in _CONTAINERS:
                picture_stream(container, Budget())
                return Kind.VIDEO
    except ClipError as error:
        reason = NEITHER if error.message.startswith(UNREADABLE) else error.message
    if named is None:
        raise undecodable(reason)
    return named
