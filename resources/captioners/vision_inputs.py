"""What a checkpoint's own processor makes of a clip: one video with its times, or pictures one by one."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from resources.annotation.clip import Clip
from resources.annotation.outcome import SetupError
from resources.words.judgement import shortened

if TYPE_CHECKING:
    from transformers import ProcessorMixin
    from transformers.video_utils import VideoMetadata

    from resources.engine.chat import ChatFormat
    from resources.engine.rows import Inputs

_TICKS = 1000  # a second: what the processors call frames and rate are here times in milliseconds
_USUAL_FPS = 24.0  # what the processors assume of a file that does not say


def load_processor(folder: Path) -> "ProcessorMixin":
    """The processor for pictures, videos and text. It scales pictures by PIL wherever it can.

    The original LLaVA scales with PIL; the torchvision way differs by a level here and there.

    Raises:
        AnnotatorError: there is none, or it needs a package that is not installed or code of its own.
    """
    from transformers import AutoConfig, AutoImageProcessor, AutoProcessor, ProcessorMixin

    try:
        processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
        if isinstance(processor, ProcessorMixin) and hasattr(processor, "image_processor"):
            processor.image_processor = AutoImageProcessor.from_pretrained(
                folder, backend="pil", trust_remote_code=False
            )
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except ImportError as error:
        raise SetupError(
            f"the processor of '{folder}' takes videos and needs more packages: pip install 'vidcap[vlm]' "
            f"({shortened(str(error))})"
        ) from error
    except Exception as error:
        raise SetupError(f"cannot load the processor of '{folder}': {shortened(str(error))}") from error
    if not isinstance(processor, ProcessorMixin):
        raise SetupError(f"'{folder}' is no model for image and text: it has no processor for both")
    if getattr(processor, "patch_size", 0) is None:
        # LLaVA folders without processor_config.json: config.json has the values that it would have.
        processor.patch_size = config.vision_config.patch_size
        processor.vision_feature_select_strategy = config.vision_feature_select_strategy
        processor.num_additional_image_tokens = int(config.vision_config.model_type == "clip_vision_model")
    return processor


def takes_videos(chat: "ChatFormat") -> bool:
    """Has the processor an input for videos, and its chat template a place for one?"""
    marker = getattr(chat.owner, "video_token", None)
    if marker is None or getattr(chat.owner, "video_processor", None) is None:
        return False
    return marker in chat.render(_question(["video"], ""))


def picture_inputs(chat: "ChatFormat", images: Sequence[Image.Image], prompt: str) -> "Inputs":
    """The frames as so many pictures, in the order of time, and the prompt."""
    return _inputs(chat, ["image"] * len(images), prompt, images=[list(images)])


def video_inputs(
    chat: "ChatFormat",
    images: Sequence[Image.Image],
    times_s: Sequence[float | None],
    clip: Clip,
    prompt: str,
) -> "Inputs":
    """The frames as one video, each with its time in the clip, and the prompt. No frame is left out or added."""
    video = np.stack([np.asarray(image) for image in images])
    options = {"video_metadata": [_times(video, times_s, clip)], "do_sample_frames": False}
    return _inputs(chat, ["video"], prompt, videos=[video], videos_kwargs=options)


def _question(shown: Sequence[str], prompt: str) -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": [*({"type": kind} for kind in shown), {"type": "text", "text": prompt}]}
    ]


def _inputs(chat: "ChatFormat", shown: Sequence[str], prompt: str, **pixels: Any) -> "Inputs":
    import torch

    text = chat.render(_question(shown, prompt))
    inputs = chat.owner(
        text=[text], return_tensors="pt", add_special_tokens=not chat.begins_itself(text), **pixels
    )
    return {key: torch.as_tensor(value) for key, value in inputs.items() if key != "attention_mask"}


def _times(video: np.ndarray, times_s: Sequence[float | None], clip: Clip) -> "VideoMetadata":
    """Where some of the times are unknown, the frames are as far apart as the clip's frames are."""
    from transformers.video_utils import VideoMetadata

    known = [time for time in times_s if time is not None]
    if len(known) < len(video):
        known = [number / (clip.fps or _USUAL_FPS) for number in range(len(video))]
    apart = (known[-1] - known[0]) / (len(known) - 1)
    return VideoMetadata(
        # Read as frames shown times their distance: Qwen2.5-VL takes the distance from it.
        total_num_frames=round(len(known) * apart * _TICKS),
        fps=_TICKS,
        width=video.shape[2],
        height=video.shape[1],
        duration=clip.duration_s or known[-1],
        frames_indices=[round(time * _TICKS) for time in known],
    )
