import csv

import pyarrow as pa
import pyarrow.parquet as pq

from resources.dataset.export import export_training_set
from resources.dataset.export_set import ExportOptions
from tests.dataset.collection import clip


def test_the_columns_of_a_list_go_into_the_table_and_the_training_set_with_their_types(collection):
    collection.add_shard(
        "shard-00000", [clip("a1", text="a dog"), clip("a2", text="a cat"), clip("a3", text="x")]
    )
    table = collection.lake.file("raw_meta", "shard-00000")
    extra = ['{"row": 1, "aes": 5.5, "fps": "fast"}', '{"row": 0, "aes": 6, "tag": ["x"]}', None]
    old = pq.read_table(str(table))
    collection.lake.write_meta(
        "shard-00000", old.set_column(old.schema.get_field_index("extra"), "extra", pa.array(extra))
    )
    collection.merge()
    done = export_training_set(
        collection.warehouse, collection.lake.folder("exports"), ExportOptions(formats=["csv"])
    )
    assert done.rows == 3
    assert {name: str(done.schema.field(name).type) for name in ("row", "aes", "source_fps", "tag")} == {
        "row": "int64", "aes": "double", "source_fps": "string", "tag": "string",
    }  # fmt: skip
    with open(collection.root / "exports/training_set/training_set.csv", newline="") as lines:
        first, second, third = csv.DictReader(lines)
    assert (first["row"], first["aes"], first["source_fps"], first["fps"]) == ("1", "5.5", "fast", "24")
    assert (second["tag"], third["row"]) == ('["x"]', "")


def test_raw_metadata_of_0_1_0_merges_beside_new_one(collection):
    collection.add_shard("shard-00000", [clip("a1", text="a dog")])
    collection.add_shard("shard-00001", [clip("b1", text="a cat")])
    collection.lake.write_meta(
        "shard-00000",
        pq.read_table(str(collection.lake.file("raw_meta", "shard-00000"))).drop_columns(["extra"]),
    )
    collection.merge()
    assert len(collection.warehouse.frame("captioned_videos")) == 2
