"""The rows of a list, as texts: nothing is guessed, and what does not fit is refused."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("path", "id", "text")
SPARE = 8
"""Values of a CSV row beyond its columns that are looked at: spreadsheets end rows with empty ones."""


class ListError(Exception):
    """The list cannot be used as it is; the message says why, without the list's name."""


class Row(NamedTuple):
    """The values of one row; ``None`` where the list has no such column, or nothing in it."""

    path: str | None
    id: str | None
    text: str | None


def read_rows(path: Path) -> tuple[list[Row], bool]:
    """The rows of a list in its order, and whether it has a column ``id``.

    Raises:
        ListError: no such list, no column ``path``, or not what its extension says.
    """
    if not path.is_file():
        raise ListError("there is no such list")
    extension = path.suffix.lower()
    try:
        table = READERS[extension](path)
        columns = [
            [_text(name, value) for value in table[name].tolist()] if name in table else [None] * len(table)
            for name in COLUMNS
        ]
    except UnicodeDecodeError as error:
        raise ListError(f"cannot be read as {extension[1:]}: it is not UTF-8 ({error.reason})") from error
    except (
        ValueError,
        OSError,
        NotImplementedError,
    ) as error:  # what pandas and Arrow raise on damaged files
        raise ListError(f"cannot be read as {extension[1:]}: {str(error).strip()}") from error
    return [Row(*values) for values in zip(*columns, strict=True)], "id" in table


def _csv(path: Path) -> "pd.DataFrame":
    """UTF-8, with or without a byte order mark.

    A row with more values than there are columns is refused: who forgives it shifts the values of that row, or of
    the whole list, into other columns.
    """
    import pandas as pd

    texts: dict[str, Any] = {"header": None, "dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
    header = [name.strip() for name in pd.read_csv(path, nrows=1, **texts).iloc[0]]
    _check_columns(header)
    width = len(header)
    table = pd.read_csv(path, names=range(width + SPARE), **texts)[1:]
    filled = (table.iloc[:, width:].fillna("") != "").to_numpy()
    for number in filled.any(axis=1).nonzero()[0][:1]:
        raise ListError(
            f"row {number + 1} has {width + filled[number].nonzero()[0][-1] + 1} values for {width} columns "
            "(a value with a comma in it needs quotes)"
        )
    return table.iloc[:, :width].set_axis(header, axis="columns")


def _parquet(path: Path) -> "pd.DataFrame":
    import pandas as pd
    import pyarrow.parquet as pq

    names = pq.read_schema(path).names
    _check_columns(names)
    wanted = [name for name in COLUMNS if name in names]
    return pd.read_parquet(path, columns=wanted, dtype_backend="pyarrow").reset_index()


READERS: Mapping[str, Callable[[Path], "pd.DataFrame"]] = {".csv": _csv, ".parquet": _parquet}


def _check_columns(names: Sequence[str]) -> None:
    if doubled := [name for name in COLUMNS if names.count(name) > 1]:
        raise ListError(f"has more than one column '{doubled[0]}'")
    if "path" not in names:
        raise ListError(f"has no column 'path' (its columns: {', '.join(names)})")


def _text(name: str, value: Any) -> str | None:
    import pandas as pd

    if isinstance(value, str):
        return value or None
    if isinstance(value, (list, dict)):
        raise ListError(f"the column '{name}' holds {type(value).__name__}s, not texts")
    if pd.isna(value):
        return None
    if isinstance(value, bytes):
        try:
            return value.decode() or None
        except UnicodeDecodeError:
            raise ListError(f"the column '{name}' holds bytes that are not UTF-8") from None
    return str(value) or None
