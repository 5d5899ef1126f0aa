"""Outcomes as Arrow rows: the one schema of journal parts and lake files."""

import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any

import pyarrow as pa
import pyarrow.json as pj

from resources.annotation.outcome import Outcome
from resources.annotation.tables import OUTCOME, arrow

OUTCOME_SCHEMA = arrow(OUTCOME)


def outcomes_to_table(outcomes: Sequence[Outcome]) -> pa.Table:
    """One row an outcome; ``details`` becomes JSON text (NULL where there are none), ``created_at`` is UTC."""
    return pa.Table.from_pylist([_row(outcome) for outcome in outcomes], schema=OUTCOME_SCHEMA)


def outcomes_to_lines(outcomes: Sequence[Outcome]) -> bytes:
    """The same rows as UTF-8 JSON lines.

    Half a surrogate pair in a text, as a server sends it for an emoji that it cut in two, becomes U+FFFD.

    Raises:
        ValueError: a number is not finite.
    """
    rows = [_row(outcome) for outcome in outcomes]
    for row in rows:
        row["created_at"] = row["created_at"].astimezone(UTC).replace(tzinfo=None).isoformat()
    return _utf8("".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))


def lines_to_table(lines: bytes) -> pa.Table:
    """The rows of :func:`outcomes_to_lines`.

    Raises:
        pyarrow.ArrowInvalid: a line is no such row.
    """
    if not lines:
        return OUTCOME_SCHEMA.empty_table()
    return pj.read_json(
        pa.BufferReader(lines),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(lines)),
        parse_options=pj.ParseOptions(OUTCOME_SCHEMA, unexpected_field_behavior="error"),
    )


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _row(outcome: Outcome) -> dict[str, Any]:
    row = {name: getattr(outcome, name) for name in OUTCOME_SCHEMA.names}
    details = json.dumps(outcome.details, sort_keys=True, ensure_ascii=False) if outcome.details else None
    return {**row, "details": details}
