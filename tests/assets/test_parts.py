"""A list of parts of films, from the index to the merged table, and what becomes of it when the list changes."""

from pathlib import Path

import pytest

from tests.assets.conftest import Platform, failure
from tests.video.media import Recipe

SPINE = ("raw_meta", "captions_llava", "camera_motion", "captioned_videos")
LISTED = "path,start,end,note\nfilm.mp4,0,2,first\nfilm.mp4,00:00:02.0,3.95,second\nfilm.mp4,50,60,beyond\n"


@pytest.fixture
def films(platform: Platform) -> Platform:
    Recipe(numbers=range(60)).write(platform.source / "film.mp4")
    platform.source = platform.source / "list.csv"
    platform.source.write_text(LISTED)
    return platform


def run(films: Platform) -> dict[str, tuple]:
    assert films.run("video_index").success
    result = films.run(*SPINE, shard="shard-00000")
    assert result.success, failure(result)
    found = films.query(
        "SELECT extra ->> '$.note', id, start_s, end_s, num_frames, duration_s, caption_llava, probe_error, path "
        "FROM captioned_videos"
    )
    return {note: tuple(values) for note, *values in found}


def test_each_part_is_a_clip(films: Platform) -> None:
    rows = run(films)
    first, second, beyond = rows["first"], rows["second"], rows["beyond"]
    assert len({first[0], second[0], beyond[0]}) == 3
    assert first[1:5] == (0.0, 2.0, 20, pytest.approx(2.0))
    assert second[1:5] == (2.0, 3.95, 20, pytest.approx(2.0))
    assert (first[5], second[5], beyond[5]) == (first[0], second[0], None)
    assert "no frame is shown in 50.0-60.0 s: the file has 60 frames" in beyond[6]
    assert {Path(row[-1]).name for row in rows.values()} == {"film.mp4"}
    assert films.query("SELECT count(*) FROM captioned_videos WHERE duplicate_of IS NOT NULL") == [(0,)]


def test_only_what_is_new_in_the_list_is_asked_for(films: Platform) -> None:
    before = run(films)
    films.asked.clear()
    films.source.write_text(LISTED.replace("3.95", "3.5") + "film.mp4,4,5,third\n")
    assert films.run("video_index").success
    films.run(*SPINE, shard="shard-00000")
    films.run(*SPINE, shard="shard-00001")
    after = {
        row[0]: row[1:]
        for row in films.query("SELECT extra ->> '$.note', id, num_frames FROM captioned_videos")
    }
    assert after["first"] == (before["first"][0], 20)
    assert after["second"][1] == 15
    assert after["third"][1] == 10
    assert set(films.asked) == {after["second"][0], after["third"][0]}
