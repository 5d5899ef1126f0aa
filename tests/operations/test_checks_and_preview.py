"""What a finished shard shows in the UI: the checks of its captions, and a contact sheet."""

import base64
import io
from pathlib import Path

import dagster as dg
import pytest
from PIL import Image

from tests.assets.conftest import Platform, failure
from vidcap_assets.assets.preview import MAX_BYTES, plain

FIRST = "shard-00000"
ECHO = "Say what can be seen in this video in no more words than you need for it: "


@pytest.fixture
def platform(tmp_path: Path, write_video) -> Platform:
    platform = Platform(tmp_path)
    for seed in range(6):
        write_video(platform.source / f"{seed}.mp4", seed)
    assert platform.run("video_index").success
    return platform


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}


def sheet(platform: Platform, asset: str) -> str | None:
    event = platform.instance.get_latest_materialization_event(dg.AssetKey(asset))
    metadata = event.asset_materialization.metadata
    return metadata["contact_sheet"].value if "contact_sheet" in metadata else None


def test_flawed_captions_warn_name_the_clips_and_stop_nothing(platform: Platform):
    platform.llava.prompt = ECHO
    result = platform.run("raw_meta", "captions_llava", "captioned_videos", shard=FIRST)
    assert result.success, failure(result)
    found = checks(result)
    echo = found["no_prompt_echo"]
    assert (echo.passed, echo.severity, echo.blocking, echo.partition) == (
        False,
        dg.AssetCheckSeverity.WARN,
        False,
        FIRST,
    )
    worst = echo.metadata["worst"].value.splitlines()
    clips = {f"[{clip.id}]({Path(clip.path).as_uri()})": clip.id for clip in platform.lake.manifest(FIRST)}
    assert len(worst) == len(clips)
    assert all(any(link in line and f"{answer}*" in line for line in worst) for link, answer in clips.items())
    assert {name for name, one in found.items() if one.passed} == {
        "accounting", "failed_share", "complete", "no_repetition", "sentence_limit", "language", "distinct", "whole",
    }  # fmt: skip

    result = platform.run("captions_llava", shard=FIRST, config={"captions_llava": {"max_flawed_share": 1.0}})
    assert checks(result)["no_prompt_echo"].passed
    result = platform.run(
        "captions_llava", shard=FIRST, config={"captions_llava": {"quality_severity": "ERROR"}}
    )
    assert result.success, "an error of the words stops nothing either"
    assert checks(result)["no_prompt_echo"].severity is dg.AssetCheckSeverity.ERROR


def test_a_contact_sheet_is_made_only_of_what_was_annotated_just_now(platform: Platform):
    assert platform.run("raw_meta", "captions_llava", "camera_motion", shard=FIRST).success
    for asset in ("captions_llava", "camera_motion"):
        markdown = sheet(platform, asset)
        pictures = markdown.split("](data:image/webp;base64,")[1:]
        assert len(pictures) == 4
        for picture in pictures:
            image = Image.open(io.BytesIO(base64.b64decode(picture.partition(")")[0])))
            assert image.format == "WEBP"
            assert image.width > 3 * image.height
        assert len(markdown.encode()) <= MAX_BYTES
    shown = [
        clip.id
        for clip in platform.lake.manifest(FIRST)
        if f"**{clip.id}**" in sheet(platform, "captions_llava")
    ]
    assert len(shown) == 4
    assert platform.run("captions_llava", shard=FIRST).success
    assert sheet(platform, "captions_llava") is None


def test_a_clip_that_cannot_be_shown_any_more_is_shown_by_its_words(platform: Platform):
    assert platform.run("raw_meta", shard=FIRST).success
    for clip in platform.lake.manifest(FIRST):
        Path(clip.path).unlink()
    result = platform.run("captions_llava", shard=FIRST)
    assert result.success, failure(result)
    markdown = sheet(platform, "captions_llava")
    assert markdown.count("no picture: missing\\_file") == 4
    assert "data:image" not in markdown


def test_captions_cannot_bring_markup_into_the_page():
    assert plain("a <script>\n![x](y) **b**") == "a &lt;script&gt; \\!\\[x\\](y) \\*\\*b\\*\\*"
