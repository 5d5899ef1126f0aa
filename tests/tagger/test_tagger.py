import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resources.annotation.clip import Clip
from resources.annotation.outcome import AnnotatorError, Answer, ClipError, ErrorKind
from resources.engine.generation import Finish, Generation
from resources.tagger.kind import Tags
from resources.tagger.question import TagQuestion
from resources.text_model.local import LocalAnswers, TextModel
from tests.golden.tiny_models import NO_SYSTEM_TEMPLATE, write_chat_model

Build = Callable[..., TextModel]

CAPTIONS = [
    "A dog.",
    "A red dog runs after a ball on the beach. " * 5,
    "Two cats sleep.",
    "A man walks home. " * 3,
]


def clip(text: str | None) -> Clip:
    return Clip("c", Path("c.mp4"), content_id="k", text=text)


@pytest.fixture
def tagger(tmp_path: Path) -> Build:
    def build(**changes: Any) -> TextModel:
        folder = tmp_path / "chat"
        if not folder.exists():
            write_chat_model(folder)
        return TextModel(
            Tags(**({"model": str(folder), "device": "cpu", "max_new_tokens": 16} | changes)), tmp_path
        )

    return build


def generated(annotator: LocalAnswers, texts: list[str]) -> list[tuple[int, ...]]:
    rows = [annotator.prepare(clip(text)) for text in texts]
    return [made.ids for made in annotator.engine.generate(annotator.model_spec(), rows)]


def test_tags_do_not_depend_on_the_batch(tagger: Build) -> None:
    """The original pads on the right, so that only the longest text of its batch gets its own answer."""
    annotator = LocalAnswers(TagQuestion("tags", "objects"), tagger())
    assert generated(annotator, CAPTIONS) == [generated(annotator, [text])[0] for text in CAPTIONS]


def test_decoding_is_greedy_though_the_checkpoint_samples(tagger: Build) -> None:
    annotator = LocalAnswers(TagQuestion("tags", "objects"), tagger())
    assert generated(annotator, CAPTIONS[:1]) == generated(annotator, CAPTIONS[:1])


def test_the_end_of_the_turn_ends_the_answer_though_the_settings_do_not_name_it(tagger: Build) -> None:
    model = tagger()
    mark = model.chat().tokenizer.convert_tokens_to_ids("<|eot_id|>")
    assert mark in model.chat().end_ids


def test_both_kinds_of_tags_share_one_loaded_model(tagger: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    from resources.engine.model_spec import ChatSpec

    loads = []
    load = ChatSpec.load
    monkeypatch.setattr(ChatSpec, "load", lambda *arguments: loads.append(1) or load(*arguments))
    model = tagger()
    annotators = [LocalAnswers(TagQuestion("tags", key), model) for key in ("objects", "actions")]
    for annotator in annotators:
        annotator.annotate([annotator.prepare(clip("A dog runs."))])
        annotator.close()
    assert len(loads) == 1
    model.close()


@pytest.mark.parametrize(
    ("words", "value"),
    [("[Dog, cat, dog]", ["dog", "cat"]), ("[]", []), ("no objects", []), ("[run", ["run"])],
)
def test_the_value_is_a_json_list_beside_the_raw_words(
    words: str, value: list[str], tagger: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotator = LocalAnswers(TagQuestion("tags", "objects"), tagger())
    row = annotator.prepare(clip("A dog."))
    monkeypatch.setattr(annotator, "decode", lambda ids: words)
    answer = annotator.answer(row, Generation((5, 2), Finish.STOP, row.length, 0.1))
    assert isinstance(answer, Answer)
    assert json.loads(answer.value) == value
    assert answer.details["raw"] == words


def test_a_silent_model_has_failed_and_not_found_nothing(tagger: Build) -> None:
    annotator = LocalAnswers(TagQuestion("tags", "objects"), tagger())
    row = annotator.prepare(clip("A dog."))
    result = annotator.answer(row, Generation((2,), Finish.STOP, row.length, 0.1))
    assert isinstance(result, ClipError)
    assert result.kind is ErrorKind.EMPTY_OUTPUT


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_a_clip_without_text_is_skipped(text: str | None, tagger: Build) -> None:
    assert LocalAnswers(TagQuestion("tags", "objects"), tagger()).skip_reason(clip(text))


def test_another_caption_is_another_input(tagger: Build) -> None:
    annotator = LocalAnswers(TagQuestion("tags", "objects"), tagger())
    assert annotator.input_key(clip("A dog.")) != annotator.input_key(clip("A cat."))


def test_recipes_tell_the_kinds_of_tags_apart(tagger: Build) -> None:
    model = tagger()
    recipes = [
        LocalAnswers(TagQuestion("tags", "objects"), model).recipe,
        LocalAnswers(TagQuestion("tags", "actions"), model).recipe,
    ]
    assert len({recipe.fingerprint for recipe in recipes}) == 2
    assert recipes[0].annotator == "tags_objects"


def test_a_template_without_system_role_still_gets_the_task(tmp_path: Path) -> None:
    folder = write_chat_model(tmp_path / "model", NO_SYSTEM_TEMPLATE)
    model = TextModel(Tags(model=str(folder), device="cpu", max_new_tokens=4), tmp_path)
    row = model.row(
        [{"role": "system", "content": "The task."}, {"role": "user", "content": "A dog."}], clip(None)
    )
    assert "The task.\n\nA dog." in model.chat().tokenizer.decode(row.inputs["input_ids"][0])


def test_a_caption_longer_than_the_context_is_refused(tmp_path: Path) -> None:
    model = TextModel(
        Tags(model=str(write_chat_model(tmp_path / "model", context=256)), device="cpu"), tmp_path
    )
    with pytest.raises(ClipError, match=r"refused: the text of clip 'c' takes \d+ tokens .* holds 256"):
        LocalAnswers(TagQuestion("tags", "objects"), model).prepare(clip("A dog."))


def test_a_base_model_without_template_is_refused(tmp_path: Path) -> None:
    model = TextModel(Tags(model=str(write_chat_model(tmp_path / "model", None)), device="cpu"), tmp_path)
    with pytest.raises(AnnotatorError, match="has no chat template: use its instruction-tuned version"):
        LocalAnswers(TagQuestion("tags", "objects"), model).prepare(clip("A dog."))
