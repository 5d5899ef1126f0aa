"""What FFmpeg says about a damaged file while it decodes on as well as it can."""

from collections.abc import Iterator
from contextlib import contextmanager

import av.logging

MOST_KEPT = 3


@contextmanager
def ffmpeg_complaints() -> Iterator[list[str]]:
    """A list that holds FFmpeg's distinct error messages, the first few, once the block has ended."""
    level, skips_repeated = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    complaints: list[str] = []
    try:
        with av.logging.Capture(local=False) as messages:
            yield complaints
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skips_repeated)
    errors = (
        f"{source}: {' '.join(text.split())}"
        for severity, source, text in messages
        if severity <= av.logging.ERROR
    )
    complaints.extend(list(dict.fromkeys(errors))[:MOST_KEPT])
