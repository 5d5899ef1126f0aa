"""What the first decoded picture says of its stream: how it is to be shown, which no header tells of every file."""

from collections.abc import Iterable
from fractions import Fraction

from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from resources.annotation.outcome import undecodable
from resources.video.streams import decoder_of

MOST_PACKETS = 120
"""Streams without a clean key frame show their first picture after a round of refreshing, some seconds at most."""


class FirstPicture:
    """Decodes packets from the start of a stream until there is a picture."""

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._context = decoder_of(stream)
        self._offered = 0
        self.frame: VideoFrame | None = None

    def offer(self, packet: Packet) -> bool:
        """Decode one more packet if that is still needed; whether another one is.

        Raises:
            ClipError: ``decode_error``: the packet is encrypted.
        """
        if self.frame is not None or self._offered >= MOST_PACKETS:
            return False
        self._offered += 1
        try:
            frames = self._context.decode(packet)
            if not frames and self._offered == 1:
                frames = self._context.decode(None)
                self._context.flush_buffers()
        except FFmpegError:
            frames = []
        self.frame = frames[0] if frames else None
        return self.frame is None

    def seek_in(self, packets: Iterable[Packet]) -> None:
        """Offer packets until there is a picture, or for too long."""
        for packet in packets:
            require_clear(packet)
            if not self.offer(packet):
                return

    @property
    def size(self) -> tuple[int, int]:
        """Stored width and height, by the header where nothing could be decoded."""
        context = self._stream.codec_context
        return (self.frame.width, self.frame.height) if self.frame else (context.width, context.height)


def sample_aspect(stream: VideoStream) -> Fraction | None:
    """Width by height of a sample: the container's word, else the decoder's; ``None`` if neither says."""
    return stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or None


def require_clear(packet: Packet) -> None:
    """Raise the ``decode_error`` of an encrypted packet."""
    if packet.has_sidedata("encryption_info"):
        raise undecodable("the pictures are encrypted (DRM): there is nothing to decode")
