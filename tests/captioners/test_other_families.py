"""Any image-text-to-text checkpoint with a chat template captions by configuration alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from resources.annotation.outcome import AnnotatorError
from resources.captioners.kinds import Transformers
from resources.captioners.transformers import TransformersCaptioner
from tests.golden import PngReader, golden_clip
from tests.golden.tiny_models import write_chat_model, write_gemma3, write_idefics3


@pytest.mark.parametrize("write", [write_idefics3, write_gemma3])
@pytest.mark.parametrize("num_frames", [1, 3])
def test_another_family_captions_and_does_not_mind_its_batch(
    write: Callable[[Path], Path], num_frames: int, tmp_path: Path, cache: Path
) -> None:
    entry = Transformers(
        name="other",
        model=str(write(tmp_path / "model")),
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
