"""Where decoding can really start: the picture types that packets state, in the NAL units of H.264 and HEVC mostly."""

import re
from collections.abc import Iterator

# Picture types that need nothing before them: ITU-T H.264 table 7-1, ITU-T H.265 table 7-1.
_SLICES = {"h264": range(1, 6), "hevc": range(0, 32)}
_MESSAGES = {"h264": 6, "hevc": 39}
_HEADER = {"h264": 1, "hevc": 2}
_DISPLAY_ORIENTATION = 47
_TRAILING = 0x80
_CLEAN = {"h264": range(5, 6), "hevc": range(19, 21)}


def starts_cleanly(data: bytes, codec: str, length_size: int) -> bool:
    """Is the first picture of an H.264 or HEVC packet an IDR picture? True for any other codec.

    ``length_size`` is that of :func:`nal_length_size`.
    """
    if codec not in _SLICES:
        return True
    for unit_type, _ in _units(data, codec, length_size):
        if unit_type in _SLICES[codec]:
            return unit_type in _CLEAN[codec]
    return False


def states_orientation(data: bytes, codec: str, length_size: int) -> bool:
    """Does an H.264 or HEVC packet carry the display orientation message (payload type 47 of both standards)?

    It holds for the pictures after it too, but decoders hand it out with its own picture only.
    """
    for unit_type, start in _units(data, codec, length_size):
        payload = start + _HEADER[codec]
        if unit_type == _MESSAGES[codec] and _DISPLAY_ORIENTATION in _payload_types(data, payload):
            return True
        if unit_type in _SLICES[codec]:
            return False
    return False


def _payload_types(data: bytes, position: int) -> Iterator[int]:
    """Of the messages of one unit: each is a type and a length, in bytes that are summed up to one below 255."""
    while position < len(data) - 1 and data[position] != _TRAILING:
        numbers = []
        for _ in range(2):
            number = 0
            while position < len(data) and data[position] == 255:
                number, position = number + 255, position + 1
            if position >= len(data):
                return
            numbers.append(number + data[position])
            position += 1
        yield numbers[0]
        position += numbers[1]


def needs_picture_before(data: bytes, codec: str) -> bool:
    """Is an MPEG-1, -2 or -4 packet a B picture? After the first key frame it shows only with one before that."""
    if codec == "mpeg4":
        start = data.find(b"\0\0\1\xb6")
        return 0 <= start < len(data) - 4 and data[start + 4] >> 6 == 2
    start = data.find(b"\0\0\1\0")
    return 0 <= start < len(data) - 5 and data[start + 5] >> 3 & 7 == 3


def is_closed_group(data: bytes) -> bool:
    """Does an MPEG-1 or -2 packet say that the B pictures after its key frame need nothing before it?

    The closed_gop bit of the group of pictures header, ITU-T H.262, 6.2.2.6.
    """
    start = data.find(b"\0\0\1\xb8")
    return 0 <= start < len(data) - 7 and bool(data[start + 7] >> 6 & 1)


def nal_length_size(codec: str, extradata: bytes | None) -> int:
    """Bytes of the length in front of each NAL unit (avcC, hvcC), or 0 where start codes separate them."""
    if not extradata or extradata[0] != 1:
        return 0
    position = 4 if codec == "h264" else 21
    return (extradata[position] & 3) + 1 if len(extradata) > position else 0


def _units(data: bytes, codec: str, length_size: int) -> Iterator[tuple[int, int]]:
    """Type and place of each NAL unit; none of any other codec."""
    if codec not in _SLICES:
        return
    for start in _unit_starts(data, length_size):
        yield data[start] & 31 if codec == "h264" else data[start] >> 1 & 63, start


def _unit_starts(data: bytes, length_size: int) -> Iterator[int]:
    if not length_size:
        yield from (code.end() for code in re.finditer(b"\0\0\1(?=.)", data, re.DOTALL))
        return
    position = 0
    while position + length_size < len(data):
        yield position + length_size
        position += length_size + int.from_bytes(data[position : position + length_size])
