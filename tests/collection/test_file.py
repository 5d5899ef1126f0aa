"""A wrong collection file is refused in one sentence with file and line, whatever is wrong with it."""

import random
import re
from pathlib import Path

import pytest

from vidcap_assets.collection.file import DEFAULT, CollectionFile, files_in_force
from vidcap_assets.collection.settings import CollectionError, CollectionSettings

GOOD = """\
type: vidcap_assets.Collection
attributes:
  home: data
  source: /data/clips
  annotators:
    - {kind: transformers, name: llava, model: /models/a}
    - kind: transformers
      name: brief
      model: /models/a
      prompt: Describe this video in one sentence.
      num_frames: 2
    - {kind: openai, name: gpt4o, model: gpt-4o, max_cost_usd: 50, paid: true}
    - {kind: camera_motion, threshold: 0.3}
    - {kind: tags, model: /models/b}
  text: {order: [gpt4o, llava, source]}
"""


def read(text: str, path: str = "/some/where/vidcap.yaml") -> CollectionSettings:
    return CollectionFile(Path(path), text).settings


def refusal(text: str) -> str:
    with pytest.raises(CollectionError) as caught:
        read(text)
    return str(caught.value)


def test_a_file_says_everything() -> None:
    settings = read(GOOD)
    assert settings.home == "/some/where/data"
    assert settings.source.uri == "/data/clips"
    assert settings.captions == ["captions_llava", "captions_brief", "captions_gpt4o"]
    assert settings.text_order == ["captions_gpt4o", "captions_llava", "source"]
    assert [one.asset for one in settings.declared][3:] == ["camera_motion", "tags_objects", "tags_actions"]
    assert settings.left_out == {}


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("num_frames: 2", "num_frame: 2", 11, "num_frames"),
        ("num_frames: 2", "num_frames: two", 11, "integer"),
        ("threshold: 0.3", "threshold: 0", 13, "greater than 0"),
        ("name: brief", "name: llava", 7, "'llava' is taken"),
        ("name: brief", "name: Brief-1", 8, "pattern"),
        ("name: brief", "name: lake", 8, "vidcap's own"),
        ("gpt4o, llava, source", "gpt5, llava", 15, "there is no captioner 'gpt5'"),
        ("kind: camera_motion,", "kind: camera_movement,", 13, "no kind 'camera_movement'"),
        ("kind: camera_motion,", "", 13, "needs a kind"),
        ("    - kind: transformers", "    - transformers\n    - kind: transformers", 7, "needs a kind"),
        ("max_cost_usd: 50", "api_key: sk-12345678", 12, "env."),
        ("  source: /data/clips", "  source: /data/clips\n  source: /data/b", 5, "twice"),
        ("  text:", "---\n  text:", 16, "second document"),
        ("  text: {", "  text: [", 15, "not YAML"),
        ("type: vidcap_assets.Collection", "type: other.Thing", 1, "vidcap_assets.Collection"),
        ("  home: data", "  hom: data", 3, "'home'"),
        ("  home: data", "  home: [1, 2]", 3, "string"),
        ("prompt: Describe this", "prompt: '{{ env.A }} and'  #", 10, "stands alone"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    said = refusal(GOOD.replace(old, new, 1))
    assert said.startswith(f"/some/where/vidcap.yaml:{line}: "), said
    assert words in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "text", ["", "# nothing", "- a", "a", "type: vidcap_assets.Collection\nattributes: 3", "\t", "a: &x [*x]"]
)
def test_what_is_no_collection_is_refused(text: str) -> None:
    assert re.match(r"/some/where/vidcap\.yaml:\d+: ", refusal(text))


def test_a_variable_is_named_where_its_value_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDCAP_SHARD_SIZE", "abc")
    with pytest.raises(CollectionError, match=r"default.yaml:7: source.shard_size: .*VIDCAP_SHARD_SIZE"):
        _ = CollectionFile.at(DEFAULT).settings


def test_a_secret_in_an_entry_is_kept_by_its_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECOND_KEY", "sk-very-secret")
    monkeypatch.setenv("MODEL", "gpt-5")
    keyed = "model: '{{ env.MODEL }}', api_key: '{{ env.SECOND_KEY }}', sampling: {seed: '{{ env.SEED }}', top_p: 1}"
    gpt4o = read(GOOD.replace("model: gpt-4o", keyed)).annotators[2]
    assert (gpt4o.model, gpt4o.api_key.name, gpt4o.api_key.value()) == (
        "gpt-5",
        "SECOND_KEY",
        "sk-very-secret",
    )
    assert gpt4o.sampling == {"top_p": 1}
    assert "sk-very-secret" not in repr(gpt4o.shown())


def test_an_unset_variable_counts_as_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIDCAP_SHARD_SIZE", raising=False)
    file = CollectionFile.at(DEFAULT)
    assert file.settings.source.shard_size == 500
    assert file.origin(["source", "shard_size"]) == "default"
    monkeypatch.setenv("VIDCAP_SHARD_SIZE", "7")
    file = CollectionFile.at(DEFAULT)
    assert file.settings.source.shard_size == 7
    assert file.origin(["source", "shard_size"]) == "VIDCAP_SHARD_SIZE"
    assert file.origin(["text", "order"]).startswith("default.yaml:")


def test_mutated_files_are_read_or_refused_in_one_sentence() -> None:
    """Characters, lines and words changed at random: never anything but settings or a CollectionError."""
    rng = random.Random(20)
    words = re.findall(r"\S+|\s+", GOOD)
    signs = ":[]{}-,#&*!|>'\"%@`~?\t\n \\\0\x07é{{ env.X }}0"
    refusals = []
    for _ in range(600):
        text = list(words)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(text))
            what = rng.randrange(5)
            if what == 0:
                del text[place]
            elif what == 1:
                text[place] = rng.choice(words)
            elif what == 2:
                text.insert(place, rng.choice(signs))
            elif what == 3:
                cut = rng.randint(0, len(text[place]))
                text[place] = text[place][:cut] + rng.choice(signs) + text[place][cut:]
            else:
                text[place], text[-1] = text[-1], text[place]
        try:
            read("".join(text))
        except CollectionError as error:
            refusals.append(str(error))
    assert len(refusals) > 200
    for said in refusals:
        assert re.fullmatch(r"/some/where/vidcap\.yaml:\d+: [^\n]+", said), repr(said)


def test_the_file_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIDCAP_CONFIG", "VIDCAP_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert files_in_force() == [DEFAULT]
    (tmp_path / "home").mkdir()
    (tmp_path / "home/vidcap.yaml").write_text(GOOD)
    monkeypatch.setenv("VIDCAP_HOME", "home")
    assert files_in_force() == [tmp_path / "home/vidcap.yaml"]
    (tmp_path / "vidcap.yaml").write_text(GOOD)
    assert files_in_force() == [tmp_path / "vidcap.yaml"]
    (tmp_path / "a.yaml").write_text(GOOD)
    monkeypatch.setenv("VIDCAP_CONFIG", "a.yaml:vidcap.yaml")
    assert files_in_force() == [tmp_path / "a.yaml", tmp_path / "vidcap.yaml"]
    with pytest.raises(CollectionError, match=r"b\.yaml: there is no such collection file"):
        files_in_force("b.yaml")


def test_the_largest_picture_is_a_setting(tmp_path: Path) -> None:
    from PIL import Image

    from resources.annotation.clip import Kind
    from resources.annotation.outcome import ClipError
    from resources.video import FrameRule, RuleKind

    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    for most, is_read in ((1199, False), (1200, True)):
        decode = read(f"{GOOD}  decode: {{workers: 1, max_pixels: {most}}}\n").decode
        with decode.frames() as (frames, _):
            if is_read:
                assert (
                    frames.read(tmp_path / "a.png", Kind.IMAGE, FrameRule(RuleKind.LINSPACE, 1)).num_frames
                    == 1
                )
            else:
                with pytest.raises(
                    ClipError, match=r"over the budget of 1,199 pixels \(decode: max_pixels\)"
                ):
                    frames.read(tmp_path / "a.png", Kind.IMAGE, FrameRule(RuleKind.LINSPACE, 1))
