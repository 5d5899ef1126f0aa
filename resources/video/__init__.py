"""Reading videos and images: which frames, from any file, without hanging or crashing."""

from resources.video.frames import Backend, FrameReader, Frames
from resources.video.sampling import FrameRule, RuleKind
from resources.video.workers import IsolatedWorkers

__all__ = ["Backend", "FrameReader", "FrameRule", "Frames", "IsolatedWorkers", "RuleKind"]
