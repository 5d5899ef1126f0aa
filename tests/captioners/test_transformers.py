import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from resources.annotation.clip import Clip, Kind
from resources.annotation.outcome import AnnotatorError, ClipError, ErrorKind
from resources.captioners.kinds import Transformers
from resources.captioners.transformers import TransformersCaptioner, fit_short_side
from tests.golden import MODELS, PngReader, golden_clip

Build = Callable[..., TransformersCaptioner]

_PARTS = (
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}"
    "{% endif %}{% endfor %}"
)
TEMPLATES = {
    "mistral": "{% for message in messages %}[INST] " + _PARTS + " [/INST]{% endfor %}",
    "vicuna": "A chat. {% for message in messages %}USER: " + _PARTS + " ASSISTANT:{% endfor %}",
    "chatml": "<|im_start|>system\nAnswer the questions.<|im_end|>{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n" + _PARTS + "<|im_end|>{% endfor %}<|im_start|>assistant\n",
}
ASKED = {
    "mistral": "[INST] \nWhat? [/INST]",
    "vicuna": "A chat. USER: \nWhat? ASSISTANT:",
    "chatml": "<|im_start|>system\nAnswer the questions.<|im_end|><|im_start|>user\n\nWhat?<|im_end|>"
    "<|im_start|>assistant\n",
}


@pytest.fixture
def llava(tmp_path: Path, cache: Path) -> Build:
    """Build a captioner on the golden mistral checkpoint with a chat template."""

    def build(
        template: str | None = "mistral", frames: PngReader | None = None, **changes: Any
    ) -> TransformersCaptioner:
        folder = tmp_path / f"llava-{template}"
        if not folder.exists():
            shutil.copytree(MODELS / "llava_next_mistral336", folder)
            if template:
                (folder / "chat_template.jinja").write_text(TEMPLATES[template])
        settings: dict[str, Any] = {"prompt": "What?", "max_new_tokens": 12, "device": "cpu"}
        entry = Transformers(name="llava", **({"model": str(folder)} | settings | changes))
        return TransformersCaptioner(entry, frames or PngReader(), cache)

    return build


@pytest.fixture
def picture(tmp_path: Path) -> Clip:
    file = tmp_path / "picture.png"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (300, 500, 3), np.uint8)).save(file)
    return Clip("picture", file, Kind.IMAGE, content_id="p", text="a grey noise")


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_checkpoint_says_how_it_wants_to_be_asked(template: str, llava: Build) -> None:
    captioner = llava(template)
    ids = captioner.prepare(golden_clip("a_96x64")).inputs["input_ids"][0].tolist()
    words = [token for token in ids if token != 960]
    assert captioner.decode(words).split() == ASKED[template].split()
    assert ids.count(1) == 1, "one begin token"


@pytest.mark.parametrize("num_frames", [1, 2, 3])
def test_captions_of_clips_of_all_sizes_do_not_depend_on_their_batch(num_frames: int, llava: Build) -> None:
    captioner = llava(num_frames=num_frames)
    rows = [captioner.prepare(golden_clip(name)) for name in ("a_96x64", "b_64x64", "d_1280x720")]
    assert len({row.length for row in rows}) > 1
    alone = [captioner.annotate([row])[0].value for row in rows]
    assert [answer.value for answer in captioner.annotate(rows)] == alone
    assert len(rows[0].details["frame_indices"]) == num_frames


def test_an_image_is_shown_once(picture: Clip, llava: Build) -> None:
    captioner = llava(num_frames=3)
    row = captioner.prepare(picture)
    assert row.details["frame_indices"] == [0]
    assert captioner.annotate([row])[0].value


def test_existing_text_goes_into_the_prompt_and_the_input_key(picture: Clip, llava: Build) -> None:
    captioner = llava(prompt="image-text")
    row = captioner.prepare(picture)
    assert "a grey noise" in captioner.decode(row.inputs["input_ids"][0].tolist())
    assert row.details["prompt"] == "image-text"
    assert captioner.input_key(picture) != llava(prompt="image").input_key(picture) == "p"


def test_a_picture_is_asked_by_its_own_preset_where_the_prompt_is_for_videos(
    picture: Clip, llava: Build
) -> None:
    row = llava(prompt="video").prepare(picture)
    assert row.details["prompt"] == "image"
    own = llava(prompt="image").prepare(picture)
    assert row.inputs["input_ids"].tolist() == own.inputs["input_ids"].tolist()


def test_an_image_marker_in_a_clips_text_is_that_clips_fault(picture: Clip, llava: Build) -> None:
    clip = replace(picture, text="an <image>")
    with pytest.raises(ClipError, match=r"clip 'picture': .* must not hold <image>") as refused:
        llava(prompt="image-text").prepare(clip)
    assert refused.value.kind is ErrorKind.REFUSED
    with pytest.raises(AnnotatorError, match="the prompt must not hold <image>"):
        llava(prompt="Describe <image>").prepare(picture)


def test_a_prompt_about_other_frames_is_refused_when_building(llava: Build) -> None:
    with pytest.raises(AnnotatorError, match=r"3 frame.*num_frames is 1"):
        llava(prompt="video-f3-detail-3ex", num_frames=1)


def test_frames_that_cannot_fit_the_context_are_refused_before_the_model(llava: Build) -> None:
    captioner = llava(num_frames=3, max_new_tokens=30_000)
    with pytest.raises(
        ClipError, match=r"clip 'd_1280x720' \(3 frame\(s\) of 597x336\).*holds 32768"
    ) as refused:
        captioner.prepare(golden_clip("d_1280x720"))
    assert refused.value.kind is ErrorKind.REFUSED


def test_a_clip_without_the_text_that_a_literal_prompt_wants_is_skipped(picture: Clip, llava: Build) -> None:
    captioner = llava(prompt="Improve this: {text}")
    assert captioner.skip_reason(picture) is None
    assert captioner.skip_reason(golden_clip("a_96x64")) == "no text for the prompt's {text}"
    assert llava(prompt="video-text").skip_reason(golden_clip("a_96x64")) is None


def test_a_checkpoint_without_chat_template_is_refused(llava: Build) -> None:
    with pytest.raises(AnnotatorError, match="has no chat template"):
        llava(None).prepare(golden_clip("a_96x64"))


def test_the_hub_names_of_the_original_format_stand_for_the_converted_ones(
    llava: Build, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert llava(model="liuhaotian/llava-v1.6-34b").checkpoints[0].source == "llava-hf/llava-v1.6-34b-hf"
    assert caplog.text.count("llava-hf/llava-v1.6-34b-hf") == 1


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((1280, 720), 336, (597, 336)),
        ((720, 1280), 336, (336, 597)),
        ((300, 200), 336, (300, 200)),
        ((500, 200), 336, (840, 336)),
    ],
)
def test_larger_frames_are_scaled_to_the_short_side(
    size: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    assert fit_short_side(frame, side).size == expected
