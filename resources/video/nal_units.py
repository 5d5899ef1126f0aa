"""Where decoding can really start: the picture types that H.264 and HEVC packets state in their NAL units."""

from collections.abc import Iterator

# Picture types that need nothing before them: ITU-T H.264 table 7-1, ITU-T H.265 table 7-1.
_SLICES = {"h264": range(1, 6), "hevc": range(0, 32)}
_CLEAN = {"h264": range(5, 6), "hevc": range(19, 21)}


def starts_cleanly(data: bytes, codec: str, length_size: int) -> bool:
    """Is the first picture of an H.264 or HEVC packet an IDR picture? True for any other codec.

    ``length_size`` is that of :func:`nal_length_size`.
    """
    if codec not in _SLICES:
        return True
    for start in _unit_starts(data, length_size):
        unit_type = data[start] & 31 if codec == "h264" else data[start] >> 1 & 63
        if unit_type in _SLICES[codec]:
            return unit_type in _CLEAN[codec]
    return False


def nal_length_size(codec: str, extradata: bytes | None) -> int:
    """Bytes of the length in front of each NAL unit (avcC, hvcC), or 0 where start codes separate them."""
    if not extradata or extradata[0] != 1:
        return 0
    position = 4 if codec == "h264" else 21
    return (extradata[position] & 3) + 1 if len(extradata) > position else 0


def _unit_starts(data: bytes, length_size: int) -> Iterator[int]:
    if length_size:
        position = 0
        while position + length_size < len(data):
            yield position + length_size
            position += length_size + int.from_bytes(data[position : position + length_size])
        return
    position = data.find(b"\0\0\1")
    while 0 <= position < len(data) - 3:
        yield position + 3
        position = data.find(b"\0\0\1", position + 3)
