"""Run in a process of its own, in which torchvision can be imported: every family captions, and says how.

Usage: ``python -m tests.captioners.families.child FOLDER``; prints one JSON object a line.
"""

import json
import sys
import traceback
from pathlib import Path
from typing import Any

# Operators are gone as soon as nobody holds their library.
_KEPT: list[Any] = []


def allow_torchvision(folder: Path) -> None:
    """Make the torchvision in ``folder`` importable, also beside a torch for which its library was not built.

    Its Python code asks for two operators when it is imported; the processors use neither.
    """
    import torch

    sys.path.append(str(folder))
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _KEPT.append(library)


class DrawnClips:
    """Clips of noise, twelve frames at unequal times; a clip's path says its size: ``97x41``."""

    times_s = (0.0, 0.1, 0.4, 0.5, 0.9, 1.0, 1.5, 1.9, 2.0, 2.4, 2.5, 3.0)

    def read(self, path: Path, kind: Any, rule: Any) -> Any:
        import numpy as np

        from resources.video import Frames

        width, height = map(int, path.name.split("x"))
        indices = rule.indices(len(self.times_s))
        pictures = np.random.default_rng(width).integers(
            0, 255, (len(self.times_s), height, width, 3), np.uint8
        )
        return Frames(pictures[indices], indices, len(self.times_s), [self.times_s[i] for i in indices])


def observe(name: str, folder: Path) -> dict[str, Any]:
    """What the captioner makes of four clips, one of them a picture, by a checkpoint of this family."""
    from resources.annotation.clip import Clip, Kind
    from resources.captioners.kinds import Transformers
    from resources.captioners.transformers import TransformersCaptioner
    from resources.captioners.vision_inputs import takes_videos
    from tests.captioners.families.families import FAMILIES

    model = FAMILIES[name].write(name, folder / name)
    clips = [Clip(size, Path(size), content_id=size) for size in ("96x64", "97x41", "1280x720")]
    clips.append(Clip("picture", Path("63x121"), Kind.IMAGE, "picture"))
    seen: dict[str, Any] = {"family": name, "alone": {}, "together": {}, "text": {}}
    for frames in ("1", "3", "8"):
        entry = Transformers(
            name="other", model=str(model), num_frames=int(frames), prompt="What?", max_new_tokens=6
        )
        captioner = TransformersCaptioner(entry, DrawnClips(), folder / "cache")  # type: ignore[arg-type]
        rows = [captioner.prepare(clip) for clip in clips]
        spec, engine = captioner.model_spec(), captioner.engine
        seen["alone"][frames] = [engine.generate(spec, [row])[0].ids for row in rows]
        seen["together"][frames] = [answer.ids for answer in engine.generate(spec, rows)]
        seen["text"][frames] = [captioner.decode(row.inputs["input_ids"][0].tolist()) for row in rows]
        seen["takes_videos"] = takes_videos(captioner._chat())
        captioner.close()
    return seen


def main(folder: Path) -> None:
    """One line for each family, whatever becomes of it."""
    allow_torchvision(Path(sys.prefix) / "vlm")
    import torch
    from transformers.utils import logging

    from tests.captioners.families.families import FAMILIES

    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    for name in FAMILIES:
        try:
            print(json.dumps(observe(name, folder)), flush=True)
        except Exception:
            print(json.dumps({"family": name, "failed": traceback.format_exc(limit=-4)}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
