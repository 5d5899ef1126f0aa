"""The rows of a list: columns by their known names, everything else kept, and what does not fit refused."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from resources.annotation.clip import Span
from resources.errors import VidcapError
from resources.source.ranges import span_of, spans_of

if TYPE_CHECKING:
    import pandas as pd

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "video", "file_path", "file_name", "video_path", "media_path", "media"),
    "id": ("id",),
    "text": ("text", "caption", "prompt", "cap"),
    "start": ("start", "start_s", "start_time", "start_sec"),
    "end": ("end", "end_s", "end_time", "end_sec"),
    "start_frame": ("start_frame", "frame_start"),
    "end_frame": ("end_frame", "frame_end"),
    "timestamp": ("timestamp", "timestamps"),
}
"""What a column may be called; of several that are there, the first counts and the others are kept as they are."""
SPARE = 8
"""Values of a CSV row beyond its columns that are looked at: spreadsheets end rows with empty ones."""
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d+)?([eE][-+]?\d+)?")


class ListError(VidcapError):
    """The list cannot be used as it is; the message says why, without the list's name."""


class NoPathError(ListError):
    """No column of the list says where the files are."""


class Row(NamedTuple):
    """The values of one row; ``None`` where the list has no such column, or nothing in it.

    ``extra`` is a JSON object of all other columns that have a value, and ``row``, the place in the list from 0.
    ``spans``: the parts of the file that are meant, each a clip; none for the whole file.
    """

    path: str | None
    id: str | None
    text: str | None
    extra: str
    spans: tuple[Span, ...] = ()


def read_rows(path: Path, named: Mapping[str, str] | None = None) -> tuple[list[Row], bool]:
    """The rows of a list in its order, and whether it has a column of ids.

    ``named`` gives the list's own name for ``path``, ``id`` or ``text`` where it is none that is known.

    Raises:
        NoPathError: no column says where the files are.
        ListError: no such list, a column that is not there or twice, or not what its extension says.
    """
    if not path.is_file():
        raise ListError("there is no such list")
    extension = path.suffix.lower()
    try:
        table = READERS[extension](path)
        names = [str(name) for name in table.columns]
        columns = _columns(names, named or {})
        values = {
            role: [_text(name, value) for value in table[name].tolist()] for role, name in columns.items()
        }
        known = {columns.get(role) for role in ("path", "id", "text")}
        others = {name: table[name].tolist() for name in names if name not in known}
    except UnicodeDecodeError as error:
        raise ListError(f"cannot be read as {extension[1:]}: it is not UTF-8 ({error.reason})") from error
    except (ValueError, OSError, NotImplementedError) as error:  # pandas and Arrow, of damaged files
        raise ListError(f"cannot be read as {extension[1:]}: {str(error).strip()}") from error
    nothing = [None] * len(table)
    rows = []
    for number, (where, clip_id, text, *range_) in enumerate(
        zip(*(values.get(role, nothing) for role in SYNONYMS), strict=True)
    ):
        extra = _extra(number, {name: column[number] for name, column in others.items()})
        try:
            rows.append(Row(where, clip_id, text, extra, tuple(_spans(*range_))))
        except ValueError as error:
            raise ListError(f"row {number + 1}: {error}") from error
    return rows, "id" in columns


def text_of(content: Mapping[str, Any]) -> str | None:
    """The text of a record, such as a clip's own .json beside it; ``None`` where no known key holds one."""
    found = (content[name] for name in SYNONYMS["text"] if name in content)
    return next((value for value in found if isinstance(value, str) and value.strip()), None)


def _spans(
    start: str | None, end: str | None, first: str | None, last: str | None, timestamp: str | None
) -> list[Span]:
    if start and end:
        return [span_of(start, end)]
    if first and last:
        return [span_of(first, last, in_frames=True)]
    # A column of this name may also hold dates.
    return spans_of(timestamp) if timestamp and timestamp.lstrip().startswith(("[", "(")) else []


def _columns(names: Sequence[str], named: Mapping[str, str]) -> dict[str, str]:
    shown = ", ".join(names)
    if unknown := sorted(set(named) - set(SYNONYMS)):
        raise ListError(f"columns: names {unknown[0]!r}, which is none of {', '.join(SYNONYMS)}")
    if missing := [name for name in named.values() if name not in names]:
        raise ListError(f"has no column '{missing[0]}', which columns: names (its columns: {shown})")
    columns = {
        role: found
        for role, known in SYNONYMS.items()
        if (found := named.get(role) or next((name for name in known if name in names), None))
    }
    if doubled := [name for name in names if names.count(name) > 1]:
        raise ListError(f"has more than one column '{doubled[0]}'")
    if "path" not in columns:
        raise NoPathError(
            f"has no column 'path' (its columns: {shown}); name the one it is with columns: {{path: …}}"
        )
    return columns


def _csv(path: Path) -> "pd.DataFrame":
    """UTF-8, with or without a byte order mark; a column of which all values are numbers is one of numbers.

    A row with more values than there are columns is refused: who forgives it shifts the values of that row, or of
    the whole list, into other columns.
    """
    import pandas as pd

    texts: dict[str, Any] = {
        "header": None,
        "dtype": str,
        "keep_default_na": False,
        "encoding": "utf-8-sig",
        "sep": "\t" if path.suffix.lower() == ".tsv" else ",",
    }
    header = [name.strip() for name in pd.read_csv(path, nrows=1, **texts).iloc[0]]
    width = len(header)
    table = pd.read_csv(path, names=range(width + SPARE), **texts)[1:]
    filled = (table.iloc[:, width:].fillna("") != "").to_numpy()
    for number in filled.any(axis=1).nonzero()[0][:1]:
        raise ListError(
            f"row {number + 1} has {width + filled[number].nonzero()[0][-1] + 1} values for {width} columns "
            "(a value with a comma in it needs quotes)"
        )
    named = [place for place, name in enumerate(header) if name]
    table = table.iloc[:, named].set_axis([header[place] for place in named], axis="columns")
    known = {name for names in SYNONYMS.values() for name in names}
    if table.columns.is_unique:
        for name in set(table.columns) - known:
            table[name] = pd.Series(_numbers(table[name].tolist()), index=table.index, dtype=object)
    return table


def _numbers(texts: list[Any]) -> list[Any]:
    known = [text if isinstance(text, str) and text else None for text in texts]
    filled = [text for text in known if text is not None]
    if not all(map(_NUMBER.fullmatch, filled)):
        return known
    number = int if all(text.lstrip("-").isdigit() for text in filled) else float
    return [None if text is None else number(text) for text in known]


def _parquet(path: Path) -> "pd.DataFrame":
    import pandas as pd

    table = pd.read_parquet(path, dtype_backend="pyarrow")
    return table.reset_index() if any(name is not None for name in table.index.names) else table


def _json(path: Path) -> "pd.DataFrame":
    return _records(json.loads(path.read_text("utf-8-sig")))


def _json_lines(path: Path) -> "pd.DataFrame":
    lines = path.read_text("utf-8-sig").split("\n")
    return _records([json.loads(line) for line in lines if line.strip()])


def _records(content: Any) -> "pd.DataFrame":
    import pandas as pd

    if not isinstance(content, list) or not all(isinstance(record, dict) for record in content):
        raise ListError('is no list of objects: expected [{"path": …}, …], or such an object a line')
    return pd.DataFrame(content, dtype=object)


READERS: Mapping[str, Callable[[Path], "pd.DataFrame"]] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".json": _json,
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}


def _extra(number: int, others: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in others.items() if not _is_nothing(value)}
    if held := [name for name, value in kept.items() if isinstance(value, bytes)]:
        raise ListError(f"the column '{held[0]}' holds bytes, which cannot be kept: leave it out")
    return json.dumps({"row": number, **kept}, ensure_ascii=False, default=str)


def _is_nothing(value: Any) -> bool:
    import pandas as pd

    return not isinstance(value, (list, dict, str)) and pd.api.types.is_scalar(value) and bool(pd.isna(value))


def _text(name: str, value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    if isinstance(value, (list, dict)):
        raise ListError(f"the column '{name}' holds {type(value).__name__}s, not texts")
    if _is_nothing(value):
        return None
    if isinstance(value, bytes):
        try:
            return value.decode() or None
        except UnicodeDecodeError:
            raise ListError(f"the column '{name}' holds bytes that are not UTF-8") from None
    return str(value) or None
