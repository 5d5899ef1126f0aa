"""docs/measures.md names the columns that there are, and its queries run."""

import re
from pathlib import Path

import duckdb

from resources.measures.kind import COLUMNS
from resources.measures.text_on_screen import Ocr

PAGE = (Path(__file__).parents[2] / "docs" / "measures.md").read_text()


def test_every_column_is_explained_once():
    explained = re.findall(
        r"`(\w+)`", " ".join(line.split("|")[1] for line in PAGE.splitlines() if line[:3] == "| `")
    )
    [ocr] = Ocr().declares()
    assert explained == [name for name, _, _ in COLUMNS] + [column.name for column in ocr.columns]


def test_the_query_counts_what_each_threshold_removes():
    [query] = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    with duckdb.connect() as connection:
        columns = ", ".join(f'"{name}" {kind}' for name, kind, _ in COLUMNS)
        connection.execute(f"CREATE TABLE captioned_videos ({columns})")
        connection.execute("INSERT INTO captioned_videos VALUES (0.01, 0.9, 2, 10, 0.01, 0.1, 3, 0.2, '0')")
        connection.execute("INSERT INTO captioned_videos VALUES (0.5, 0, 0, 100, 0.5, 0.1, 3, 0, '0')")
        assert connection.execute(query).fetchall() == [(2, 1, 1, 1, 1, 1, 1)]
