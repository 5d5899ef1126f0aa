"""The product as it comes: embedded models, demo clips, `dagster job execute` on an instance that knows nothing."""

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import PRODUCT, Workplace
from tools.demo_world.clips import render_demo_source

CHOSEN = (
    "camera/00",
    "camera/04",
    "shapes/00",
    "shapes/03",
    "shapes/08",
    "shapes/12",
    "images/red",
    "broken/trunc",
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Workplace:
    """A shard of a few demo clips, captioned by the product's own job."""
    folder = tmp_path_factory.mktemp("product with spaces")
    rendered = render_demo_source(folder / "rendered")
    place = Workplace(folder, {f"VIDCAP_{name}_MODEL": "demo" for name in ("PLLAVA", "LLAVA", "TAGGER")})
    for file in sorted(rendered.rglob("*.*")):
        name = file.relative_to(rendered).as_posix()
        if name.startswith(CHOSEN):
            (place.source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place.source / name)
    place.truth = json.loads((rendered / "ground_truth.json").read_text())
    place.succeed("index_videos", module=PRODUCT)
    place.succeed("caption_videos", "shard-00000..shard-00000", module=PRODUCT)
    return place


def rows(place: Workplace, columns: str) -> dict[str, tuple]:
    found = place.query(f"SELECT path, {columns} FROM captioned_videos")
    return {Path(path).relative_to(place.source).as_posix(): values for path, *values in found}


def another_query(place: Workplace) -> Path:
    config = place.folder / "run.yaml"
    config.write_text("resources: {pllava: {config: {query: 'What is going on here?'}}}")
    return config


def test_every_clip_has_one_row_with_what_is_in_it(demo: Workplace):
    truth = {clip["file"]: clip for clip in demo.truth["clips"]}
    table = rows(demo, "caption_pllava, cmotion, objects, actions, text, text_source, probe_error")
    assert len(table) == len(CHOSEN)
    right = 0
    for file, (caption, motion, objects, actions, text, source, probe_error) in table.items():
        if truth[file]["broken"]:
            assert probe_error
            assert caption is None
            continue
        assert text == caption
        assert source == "captions_pllava"
        if truth[file]["kind"] == "video":
            assert motion == truth[file]["camera_motion"]
        right += caption == truth[file]["caption"]
        assert objects == truth[file]["objects"] or caption != truth[file]["caption"]
        assert actions == truth[file]["actions"] or caption != truth[file]["caption"]
    assert right >= 6


def test_a_changed_prompt_redoes_one_captioner_and_what_reads_it(demo: Workplace):
    outcomes = "SELECT annotator, fingerprint, id, created_at FROM annotations WHERE is_current"
    before = set(demo.query(outcomes))
    demo.succeed("caption_videos", "shard-00000", module=PRODUCT, config=another_query(demo))
    after = set(demo.query(outcomes))
    redone = {annotator for annotator, *_ in after - before}
    assert redone == {"captions_pllava", "tags_objects", "tags_actions"}
    old = set(demo.query(outcomes.replace("is_current", "NOT is_current")))
    assert old == before - after, "the earlier answers are still in the table"
