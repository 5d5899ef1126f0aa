import itertools
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from resources.dataset.bins import BINS
from resources.dataset.distribution import DISTRIBUTION_SCHEMA, distribution
from resources.dataset.distribution_report import publish_distribution
from tests.dataset.collection import Collection


@pytest.fixture(scope="module")
def counts(captioned_once: Collection):
    """Clips by (facet, captioner, value)."""
    rows = distribution(captioned_once.warehouse).to_pylist()
    return {(row["facet"], row["captioner"], row["value"]): (row["clips"], row["share"]) for row in rows}


@pytest.mark.parametrize(
    ("facet", "captioner", "value", "clips", "share"),
    [
        ("objects", "all", "red ball", 4, 4 / 5),
        ("objects", "captions_pllava", "field", 3, 3 / 4),
        ("actions", "all", "rolling", 5, 1.0),
        ("camera_motion", "all", "static", 4, 4 / 5),
        ("camera_motion", "all", "pan_left+zoom_in", 1, 1 / 5),
        ("kind", "all", "video", 5, 5 / 6),
        ("codec", "all", "png", 1, 1 / 5),
        ("resolution", "all", "1080p", 1, 1 / 5),
        ("resolution", "captions_gpt4v", "1080p", 1, 1.0),
        ("num_frames", "all", "1", 1, 1 / 5),
        ("duration_s", "all", "2–5 s", 4, 1.0),
        ("text_len", "source", "0–9", 1, 1.0),
        ("text_len", "captions_llava", "0–9", 5, 1.0),
    ],
)
def test_counts(counts, facet: str, captioner: str, value: str, clips: int, share: float) -> None:
    assert counts[facet, captioner, value] == (clips, pytest.approx(share))


def test_spellings_are_one_tag_and_a_clip_counts_once(collection: Collection) -> None:
    from tests.dataset.collection import clip

    collection.add_shard("shard-00000", [clip("a"), clip("b"), clip("c")])
    collection.annotate("captions_pllava", lambda one: f"caption {one.id}")
    tags = {"a": '["Red balls", "red ball"]', "b": '["red ball"]', "c": "[]"}
    collection.annotate("tags_objects", lambda one: tags[one.id])
    collection.merge()
    [row] = [
        row
        for row in distribution(collection.warehouse).to_pylist()
        if (row["facet"], row["captioner"]) == ("objects", "all")
    ]
    assert (row["value"], row["clips"], row["variants"]) == ("red ball", 2, ["Red balls", "red ball"])
    assert row["share"] == pytest.approx(2 / 3)


def test_classes_leave_no_gap() -> None:
    for before, after in itertools.pairwise(BINS):
        assert (before.high == after.low) == (before.facet == after.facet)
        assert (before.high is None) == (before.facet != after.facet)


def test_published_as_table_and_plots(captioned: Collection) -> None:
    made = publish_distribution(captioned.warehouse, captioned.lake.folder("reports"))
    folder = Path(made.folder.path)
    table = pq.read_table(folder / "distribution.parquet")
    assert table.schema.names == DISTRIBUTION_SCHEMA.names
    assert b"description" in table.schema.field("share").metadata
    assert (
        (folder / "distribution.csv")
        .read_text()
        .startswith("facet,captioner,value,clips,share,position,variants\n")
    )
    with Image.open(folder / "objects.png") as picture:
        assert picture.width == 640
    again = publish_distribution(captioned.warehouse, captioned.lake.folder("reports"))
    assert again.version == made.version
