"""What the pages show of a clip, as plain data."""

from collections import Counter
from pathlib import PurePath
from typing import Any

from resources.annotation.declaration import Role
from resources.dataset.annotators import Listed, columns_of
from resources.words.differences import own_words

_STATUS_LETTERS = {"ok": "o", "failed": "f", "skipped": "s"}
_MISSING = "-"
_FILM_FACTS = {"num_frames": "{} frames", "fps": "{:.4g} fps", "duration_s": "{:.1f} s"}
_PROVENANCE = (
    "annotator", "fingerprint", "status", "finish_reason", "tokens_out", "seconds", "cost_usd", "attempt",
    "run_id", "created_at",
)  # fmt: skip


def card(row: dict[str, Any], annotators: list[Listed]) -> dict[str, Any]:
    """All that one clip's card shows, from a row of ``clips.sql``; JSON-able, not escaped."""
    captioners = {one.name for one in annotators if one.role is Role.CAPTION}
    current = [answer for answer in row["answers"] if answer["is_current"]]
    captions = [
        {"by": answer["annotator"], "fingerprint": answer["fingerprint"], "text": answer["value"]}
        for answer in _in_order(current, annotators)
        if answer["annotator"] in captioners and answer["status"] == "ok"
    ]
    if row["source_text"]:
        captions.append({"by": "source", "fingerprint": None, "text": row["source_text"]})
    for caption, pieces in zip(captions, own_words([c["text"] for c in captions]), strict=True):
        caption["pieces"] = pieces
        del caption["text"]
    return {
        "id": row["id"],
        "path": row["path"],
        "uri": PurePath(row["path"]).as_uri() if PurePath(row["path"]).is_absolute() else None,
        "shard": row["shard"],
        "facts": _facts(row),
        "content": row["content_id"] if not row["probe_error"] else None,
        "labels": _labels(row, annotators),
        "tags": _tags(row, annotators),
        "measured": {
            column: row[column]
            for column in columns_of(annotators, Role.SCORE, Role.STRUCTURED)
            if row[column] is not None
        },
        "text_source": row["text_source"],
        "duplicate_of": row["duplicate_of"],
        "captions": captions,
        "problems": _problems(row, current, annotators),
        "provenance": [
            {name: answer[name] for name in _PROVENANCE} for answer in _in_order(current, annotators)
        ],
        "earlier": [
            {name: answer[name] for name in ("annotator", "fingerprint", "value", "error", "created_at")}
            for answer in row["answers"]
            if not answer["is_current"]
        ],
    }


def index_row(row: dict[str, Any], tag_numbers: dict[str, int], annotators: list[Listed]) -> list[Any]:
    """What filters need of a clip: id, file name, labels, numbers of its tags, a letter of status an annotator.

    New tags get the next number in ``tag_numbers``.
    """
    status = {answer["annotator"]: answer["status"] for answer in row["answers"] if answer["is_current"]}
    return [
        row["id"],
        PurePath(row["path"]).name,
        "+".join(_labels(row, annotators)),
        [tag_numbers.setdefault(tag, len(tag_numbers)) for tag in _tags(row, annotators)],
        "".join(_STATUS_LETTERS.get(status.get(one.name, ""), _MISSING) for one in annotators),
    ]


def label_counts(index: list[list[Any]]) -> dict[str, int]:
    """Clips for each single label, the commonest first."""
    counts = Counter(label for row in index for label in row[2].split("+") if label)
    return dict(counts.most_common())


def _labels(row: dict[str, Any], annotators: list[Listed]) -> list[str]:
    columns = columns_of(annotators, Role.LABEL)
    return [label for column in columns for label in (row[column] or "").split("+") if label]


def _tags(row: dict[str, Any], annotators: list[Listed]) -> list[str]:
    return list(dict.fromkeys(tag for one in columns_of(annotators, Role.TAGS) for tag in row[one] or []))


def _in_order(answers: list[dict[str, Any]], annotators: list[Listed]) -> list[dict[str, Any]]:
    places = {one.name: place for place, one in enumerate(annotators)}
    return sorted(answers, key=lambda answer: places.get(answer["annotator"], len(places)))


def _facts(row: dict[str, Any]) -> str:
    facts = [f"{row['width']}×{row['height']}"] if row["width"] and row["height"] else []
    if row["kind"] == "image":
        facts.append("image")
    else:
        facts += [form.format(row[name]) for name, form in _FILM_FACTS.items() if row[name]]
    if row["codec"]:
        facts.append(row["codec"])
    return " · ".join(facts)


def _problems(
    row: dict[str, Any], current: list[dict[str, Any]], annotators: list[Listed]
) -> list[dict[str, str]]:
    if row["probe_error"]:
        return [{"annotator": "raw_meta", "status": "failed", "why": row["probe_error"]}]
    problems = [
        {
            "annotator": answer["annotator"],
            "status": answer["status"],
            "why": f"{answer['error_kind']}: {answer['error']}"
            if answer["error_kind"]
            else answer["error"] or "",
        }
        for answer in _in_order(current, annotators)
        if answer["status"] != "ok"
    ]
    return problems + [
        {"annotator": answer["annotator"], "status": "cut off", "why": "the longest length was reached"}
        for answer in current
        if answer["finish_reason"] == "length"
    ]
