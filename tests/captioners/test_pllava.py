import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from resources.annotation.clip import Clip, Kind
from resources.annotation.outcome import AnnotatorError, ClipError, ErrorKind
from resources.captioners.kinds import Pllava
from resources.captioners.pllava import PllavaCaptioner
from resources.captioners.pllava_pixels import limit_long_side, resize_short_side
from tests.golden import MODELS, PngReader, golden_clip

Build = Callable[..., PllavaCaptioner]


@pytest.mark.parametrize(
    ("size", "loaded", "limited"),
    [
        ((1280, 720), (1194, 672), (639, 360)),
        ((720, 1280), (672, 1194), (360, 639)),
        ((64, 64), (672, 672), (640, 640)),
        ((96, 64), (1008, 672), (639, 426)),
        ((2000, 100), (13440, 672), (6720, 336)),
    ],
)
def test_the_resizes_before_the_processor(
    size: tuple[int, int], loaded: tuple[int, int], limited: tuple[int, int]
) -> None:
    image = resize_short_side(Image.new("RGB", size), 672, Image.Resampling.BILINEAR)
    assert image.size == loaded
    assert limit_long_side(image).size == limited


def test_a_model_with_the_releases_patches_takes_the_products_defaults(pllava: Build) -> None:
    captioner = pllava(model=MODELS / "pllava_full336", num_frames=None, pooling_shape=None)
    assert (captioner.num_frames, captioner.pooling_shape) == (4, (4, 12, 12))


def test_another_model_brings_its_own(pllava: Build) -> None:
    captioner = pllava(num_frames=None, pooling_shape=None)
    assert (captioner.num_frames, captioner.pooling_shape) == (16, (16, 2, 2))


def test_an_image_is_captioned_as_a_still_video(tmp_path: Path, pllava: Build) -> None:
    picture = tmp_path / "picture.png"
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(picture)
    captioner = pllava()
    answer = captioner.annotate([captioner.prepare(Clip("i", picture, Kind.IMAGE))])[0]
    assert answer.details["frame_indices"] == [0, 0, 0, 0]
    assert answer.value


def test_what_cannot_fit_the_context_is_refused_before_decoding(cache: Path) -> None:
    reader = PngReader()
    entry = Pllava(
        model=str(MODELS / "pllava_full56"), num_frames=16, pooling_shape=(256, 4, 4), device="cpu"
    )
    captioner = PllavaCaptioner(entry, reader, cache)
    with pytest.raises(
        AnnotatorError, match=r"the prompt with the frames takes 4\d\d\d tokens .*context holds 4096"
    ):
        captioner.prepare(golden_clip("a_96x64"))
    assert reader.reads == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "no-such-folder"}, "neither a folder nor a hub id"),
        ({"prompt": "video-f9-detail"}, "no prompt preset"),
        ({"attention": "flash_attention_2"}, "CUDA"),
        ({"tensor_parallel_size": 2}, "tensor_parallel_size 2 spreads a model over GPUs"),
        ({"model": None}, "^pllava: no model is named; set model"),
    ],
)
def test_settings_that_cannot_work_are_refused_when_building(
    settings: dict[str, Any], message: str, pllava: Build
) -> None:
    with pytest.raises(AnnotatorError, match=message) as refused:
        pllava(**settings)
    assert not refused.value.retryable


@pytest.mark.parametrize(
    "settings",
    [{"max_new_tokens": 0}, {"batch_size": 0}, {"dtype": "int8"}, {"attention": "linear"}, {"device": "tpu"}],
)
def test_values_outside_their_set_are_refused_by_the_entry(settings: dict[str, Any], pllava: Build) -> None:
    with pytest.raises(ValidationError, match=next(iter(settings))):
        pllava(**settings)


def test_the_demo_model_is_used_where_it_is_named_and_in_the_demo() -> None:
    unnamed, demo = Pllava(), Pllava(model="demo")
    assert unnamed.missing() is not None
    assert not unnamed.uses_demo_model
    assert unnamed.for_demo() == demo
    assert demo.uses_demo_model
    assert demo.missing() is None
    assert Pllava(model="owner/name").for_demo().model == "owner/name"


def test_an_image_marker_in_the_prompt_is_refused(pllava: Build) -> None:
    with pytest.raises(AnnotatorError, match="exactly once, not 2"):
        pllava(query="Look at <image>").prepare(golden_clip("a_96x64"))


def test_an_image_marker_in_a_clips_text_is_that_clips_fault(pllava: Build) -> None:
    clip = replace(golden_clip("a_96x64"), text="see <image>")
    with pytest.raises(ClipError, match=r"quotes its text, must hold <image> .* not 2 times") as refused:
        pllava(prompt="It was called {text}.").prepare(clip)
    assert refused.value.kind is ErrorKind.REFUSED


def test_a_silent_model_is_a_failed_clip(pllava: Build) -> None:
    from resources.engine.generation import Finish, Generation

    captioner = pllava()
    row = captioner.prepare(golden_clip("a_96x64"))
    result = captioner.answer(row, Generation((2,), Finish.STOP, row.length, 0.1))
    assert isinstance(result, ClipError)
    assert result.kind is ErrorKind.EMPTY_OUTPUT


def test_the_recipe_changes_with_whatever_changes_an_answer_and_nothing_else(pllava: Build) -> None:
    recipe = pllava().recipe
    settings = json.loads(recipe.canonical_json)
    assert (settings["annotator"], settings["model"], settings["dtype"]) == (
        "captions_pllava",
        "pllava_full56",
        "float32",
    )
    assert len(settings["weights"]) == 64
    same = [pllava(batch_size=3)]
    other = [
        pllava(lora_alpha=8),
        pllava(num_frames=5),
        pllava(pooling_shape=(4, 1, 1)),
        pllava(prompt="Other words."),
        pllava(query="And now?"),
        pllava(max_new_tokens=31),
        pllava(dtype="bfloat16"),
        pllava(attention="eager"),
        pllava(merge_adapter=False),
        pllava(model=MODELS / "pllava_full336", adapter=MODELS / "pllava_full336"),
    ]
    assert {captioner.recipe.fingerprint for captioner in same} == {recipe.fingerprint}
    assert len({captioner.recipe.fingerprint for captioner in [*same, *other]}) == len(other) + 1


def test_a_recipe_needs_no_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from resources.captioners.kinds import Pllava, Transformers\n"
        "from resources.tagger.kind import Tags\n"
        "assert not {'torch', 'transformers', 'peft', 'cv2', 'av', 'duckdb'} & set(sys.modules)\n"
        "from resources.captioners.pllava import PllavaCaptioner\n"
        "from resources.captioners.transformers import TransformersCaptioner\n"
        "from resources.tagger.question import TagQuestion\n"
        "from resources.text_model.local import LocalAnswers, TextModel\n"
        f"model = {str(MODELS / 'pllava_full56')!r}\n"
        "PllavaCaptioner(Pllava(model=model), None).recipe\n"
        "TransformersCaptioner(Transformers(name='llava', model=model), None).recipe\n"
        "LocalAnswers(TagQuestion('tags', 'objects'), TextModel(Tags(model=model))).recipe\n"
        "assert not {'torch', 'transformers', 'peft', 'cv2', 'av'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
