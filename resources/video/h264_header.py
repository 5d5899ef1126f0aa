"""The picture format that an H.264 stream states in its sequence parameter set, read without decoding.

Follows ITU-T H.264, 7.3.2.1.1 (sequence parameter set) and Table E-1 (sample aspect ratios).
"""

from dataclasses import dataclass
from fractions import Fraction

SPS = 7
EXTENDED_SAR = 255
ASPECTS = (
    (0, 1), (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11),
    (80, 33), (18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1),
)  # fmt: skip
CHROMA_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


@dataclass(frozen=True, slots=True)
class H264Format:
    """Luma bits per sample, and the shape of a sample (``None`` where the stream does not say)."""

    bit_depth: int
    sample_aspect: Fraction | None


def read_h264_format(extradata: bytes | None) -> H264Format | None:
    """What the first parameter set in ``extradata`` (avcC or start codes) says; ``None`` without one."""
    unit = _first_parameter_set(extradata or b"")
    if unit is None:
        return None
    try:
        return _parse(_Bits(unit.replace(b"\0\0\3", b"\0\0")))
    except (IndexError, ValueError):
        return None


def _first_parameter_set(extradata: bytes) -> bytes | None:
    if extradata[:1] == b"\1":
        if len(extradata) < 8 or not extradata[5] & 31:
            return None
        length = int.from_bytes(extradata[6:8])
        return extradata[8 : 8 + length]
    for unit in extradata.split(b"\0\0\1")[1:]:
        if unit and unit[0] & 31 == SPS:
            return unit
    return None


def _parse(bits: "_Bits") -> H264Format:
    bits.skip(8)
    profile = bits.read(8)
    bits.skip(16)
    bits.golomb()
    bit_depth = 8
    if profile in CHROMA_PROFILES:
        chroma = bits.golomb()
        if chroma == 3:
            bits.skip(1)
        bit_depth = 8 + bits.golomb()
        bits.golomb()
        bits.skip(1)
        if bits.read(1):
            for index in range(12 if chroma == 3 else 8):
                if bits.read(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.golomb()
    _skip_picture_order(bits)
    bits.golomb()
    bits.skip(1)
    bits.golomb()
    bits.golomb()
    if not bits.read(1):
        bits.skip(1)
    bits.skip(1)
    if bits.read(1):
        for _ in range(4):
            bits.golomb()
    return H264Format(bit_depth, _aspect(bits) if bits.read(1) else None)


def _skip_picture_order(bits: "_Bits") -> None:
    kind = bits.golomb()
    if kind == 0:
        bits.golomb()
    elif kind == 1:
        bits.skip(1)
        bits.golomb()
        bits.golomb()
        for _ in range(bits.golomb()):
            bits.golomb()


def _skip_scaling_list(bits: "_Bits", size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed_golomb()) % 256
        last = following or last


def _aspect(bits: "_Bits") -> Fraction | None:
    if not bits.read(1):
        return None
    index = bits.read(8)
    width, height = (bits.read(16), bits.read(16)) if index == EXTENDED_SAR else ASPECTS[index]
    return Fraction(width, height) if width and height else None


class _Bits:
    """Reads a byte string bit by bit, most significant first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def read(self, count: int) -> int:
        value = 0
        for _ in range(count):
            byte = self._data[self._position >> 3]
            value = value << 1 | byte >> (7 - (self._position & 7)) & 1
            self._position += 1
        return value

    def skip(self, count: int) -> None:
        self._position += count

    def golomb(self) -> int:
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("not an Exp-Golomb code")
        return (1 << zeros) - 1 + self.read(zeros)

    def signed_golomb(self) -> int:
        code = self.golomb()
        return (code + 1) // 2 if code & 1 else -(code // 2)
