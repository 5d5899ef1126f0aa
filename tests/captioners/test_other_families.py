"""Families that take pictures only caption without torchvision; all others are in ``families``."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from resources.annotation.outcome import AnnotatorError
from resources.captioners.kinds import Transformers
from resources.captioners.transformers import TransformersCaptioner
from tests.captioners.families.families import FAMILIES
from tests.golden import MODELS, PngReader, golden_clip
from tests.golden.tiny_models import write_chat_model


@pytest.mark.parametrize("family", ["idefics3", "gemma3"])
@pytest.mark.parametrize("num_frames", [1, 3])
def test_another_family_captions_and_does_not_mind_its_batch(
    family: str, num_frames: int, tmp_path: Path, cache: Path
) -> None:
    entry = Transformers(
        name="other",
        model=str(FAMILIES[family].write(family, tmp_path / "model")),
        num_frames=num_frames,
        prompt="Say what is seen.",
        max_new_tokens=12,
        device="cpu",
    )
    captioner = TransformersCaptioner(entry, PngReader(), cache)
    rows = [captioner.prepare(golden_clip(name)) for name in ("a_96x64", "b_64x64", "d_1280x720")]
    alone = [captioner.annotate([row])[0] for row in rows]
    together = captioner.annotate(rows)
    assert [answer.value for answer in together] == [answer.value for answer in alone]
    assert all(answer.tokens_in == row.length for answer, row in zip(together, rows, strict=True))


def test_a_model_that_sees_nothing_is_refused(tmp_path: Path, cache: Path) -> None:
    entry = Transformers(name="blind", model=str(write_chat_model(tmp_path / "model")), device="cpu")
    captioner = TransformersCaptioner(entry, PngReader(), cache)
    with pytest.raises(AnnotatorError, match=r"model' is no model for image and text"):
        captioner.prepare(golden_clip("a_96x64"))


def test_a_model_for_videos_says_what_to_install(tmp_path: Path, cache: Path) -> None:
    if importlib.util.find_spec("torchvision") is not None:
        pytest.skip("torchvision is installed here")
    model = tmp_path / "model"
    shutil.copytree(MODELS / "llava_next_mistral336", model)
    config = json.loads((model / "config.json").read_text()) | {"model_type": "qwen2_5_vl"}
    (model / "config.json").write_text(json.dumps(config))
    (model / "processor_config.json").write_text('{"processor_class": "Qwen2_5_VLProcessor"}')
    (model / "preprocessor_config.json").write_text('{"image_processor_type": "Qwen2VLImageProcessor"}')
    captioner = TransformersCaptioner(Transformers(name="films", model=str(model)), PngReader(), cache)
    with pytest.raises(
        AnnotatorError, match=r"takes videos and needs more packages: pip install 'vidcap\[vlm\]'"
    ):
        captioner.prepare(golden_clip("a_96x64"))
