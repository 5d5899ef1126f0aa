"""The key goes to the server and nowhere else, however a run ends."""

import pickle
import traceback

import pytest
from misbehaving_server import KEY, Act, error
from numbered_clips import clips

from resources.annotation.outcome import AnnotatorError
from resources.captioners.openai.captioner import OpenAICaptioner
from resources.captioners.openai.kind import OpenAI

ECHO = f"Incorrect API key provided: {KEY}. Authorization: Bearer {KEY}"
ENDINGS = {
    "answers": Act(),
    "401": error(401, "invalid_api_key", ECHO),
    "403": error(403, message=ECHO),
    "404": error(404, message=ECHO),
    "no credit": error(429, "insufficient_quota", ECHO),
    "429": error(429, message=ECHO),
    "400": error(400, message="x" * 280 + ECHO),
    "500": error(500, message=ECHO),
    "500 in plain text": Act(500, ECHO.encode()),
    "wrong JSON": Act(body=f'{{"choices": "{KEY}'.encode()),
    "error in a 200": Act(body={"error": ECHO}),
    "stall": Act(stall_s=9),
    "drop": Act(drop=True),
}


@pytest.mark.parametrize("act", ENDINGS.values(), ids=ENDINGS.keys())
def test_no_ending_of_a_run_shows_the_key(server, captioner, run, tmp_path, everything_logged, capfd, act):
    server.default = act
    notes = []
    annotator = captioner(
        max_cost_usd=9.0,
        spend_file=tmp_path / "spend",
        timeout_s=0.3,
        max_attempts=2,
        log=notes.append,
    )
    said = [repr(annotator), str(vars(annotator)), annotator.recipe.canonical_json]
    try:
        said.append(str(run(annotator, clips(3), log=notes.append).outcomes.to_pylist()))
    except AnnotatorError as failed:
        said += traceback.format_exception(failed)
        said += [repr(failed), repr(pickle.dumps(failed)), repr(failed.__cause__), repr(failed.__context__)]
    said += [*notes, everything_logged.text, *capfd.readouterr()]
    said += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    assert server.keys == {f"Bearer {KEY}"}
    assert [text[:200] for text in said if KEY in text or KEY[:15] in text] == []


@pytest.mark.parametrize(
    "url", [f"http://user:{KEY}@host/v1", f"https://host/v1?api-key={KEY}", f"{KEY}://host"]
)
def test_a_base_url_with_credentials_is_refused_without_repeating_them(url):
    with pytest.raises(AnnotatorError) as refused:
        OpenAICaptioner(OpenAI(name="m", base_url=url), None)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("ending", ["\n", " ", "é"])
def test_a_key_that_no_header_can_carry_is_refused_without_repeating_it(ending, monkeypatch):
    monkeypatch.setenv("OTHER_KEY", KEY + ending)
    with pytest.raises(AnnotatorError, match="set OTHER_KEY again") as refused:
        OpenAICaptioner(OpenAI(name="m", api_key="{{ env.OTHER_KEY }}"), None)
    assert KEY not in str(refused.value)


def test_no_key_for_openai_is_one_sentence_before_anything_is_decoded(captioner, run):
    with pytest.raises(AnnotatorError, match="set ABSENT_KEY") as refused:
        run(captioner(base_url=None, api_key="{{ env.ABSENT_KEY }}"), clips(1))
    assert not refused.value.retryable


def test_recipe_tells_what_changes_answers_and_nothing_else(captioner):
    base = captioner().recipe.fingerprint
    same = {
        "api_key": "{{ env.OTHER_KEY }}",
        "max_concurrency": 3,
        "max_cost_usd": 1.0,
        "timeout_s": 9,
        "batch_api": False,
    }
    assert {captioner(**{name: value}).recipe.fingerprint for name, value in same.items()} == {base}
    different = {
        "base_url": "http://elsewhere/v1",
        "num_frames": 3,
        "prompt": "Who is it?",
        "max_tokens": 9,
        "detail": "high",
        "short_side": 256,
        "jpeg_quality": 50,
        "image_format": "png",
    }
    fingerprints = [captioner(**{name: value}).recipe.fingerprint for name, value in different.items()]
    assert len({base, *fingerprints}) == 1 + len(different)


def test_fingerprints_are_those_of_version_0_1_0():
    """Recorded with 0.1.0: rows that are there are not asked for again."""
    served = {"model": "m", "base_url": "http://localhost:1/v1", "image_format": "png", "num_frames": 8}
    for settings, fingerprint in (({}, "1a7e480b3ca372ae"), (served, "eecccabef4713c3a")):
        annotator = OpenAICaptioner(OpenAI(name="gpt4v", **settings), None)
        assert annotator.recipe.fingerprint == fingerprint
        annotator.close()
