"""Outcomes as Arrow rows: the one schema of journal parts and lake files."""

import json
from collections.abc import Sequence

import pyarrow as pa

from resources.annotation.outcome import Outcome

OUTCOME_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("input_key", pa.string()),
        ("value", pa.string()),
        ("status", pa.string()),
        ("error_kind", pa.string()),
        ("error", pa.string()),
        ("finish_reason", pa.string()),
        ("tokens_in", pa.int64()),
        ("tokens_out", pa.int64()),
        ("seconds", pa.float64()),
        ("cost_usd", pa.float64()),
        ("details", pa.string()),
        ("attempt", pa.int32()),
        ("run_id", pa.string()),
        ("created_at", pa.timestamp("us")),
    ]
)


def outcomes_to_table(outcomes: Sequence[Outcome]) -> pa.Table:
    """One row an outcome; ``details`` becomes JSON text (NULL where there are none), ``created_at`` is UTC."""
    rows = [
        {name: getattr(outcome, name) for name in OUTCOME_SCHEMA.names}
        | {
            "details": json.dumps(outcome.details, sort_keys=True, ensure_ascii=False)
            if outcome.details
            else None
        }
        for outcome in outcomes
    ]
    return pa.Table.from_pylist(rows, schema=OUTCOME_SCHEMA)
