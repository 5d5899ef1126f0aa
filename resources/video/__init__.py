"""Reading videos and images: which frames, from any file, without hanging or crashing."""

from resources.video.frames import Backend, Frames
from resources.video.reader import FrameReader
from resources.video.sampling import FrameRule, RuleKind
from resources.video.workers import IsolatedWorkers, available_cores

__all__ = [
    "Backend",
    "FrameReader",
    "FrameRule",
    "Frames",
    "IsolatedWorkers",
    "RuleKind",
    "available_cores",
]
