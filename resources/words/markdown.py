"""Foreign words as Markdown: captions, ids and paths that reach a page draw nothing but themselves."""

from collections.abc import Iterable, Mapping, Sequence

_LONGEST = 400
_ESCAPES = str.maketrans(
    {"<": "&lt;", ">": "&gt;", "&": "&amp;", **{sign: f"\\{sign}" for sign in "\\`*_~[]|!#"}}
)


def table(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Some columns of rows as a table; fractions with three digits."""
    cells = ([row[column] for column in columns] for row in rows)
    lines = [
        " | ".join(f"{one:.3f}" if isinstance(one, float) else plain(one) for one in row) for row in cells
    ]
    return "\n".join(
        f"| {line} |" for line in (" | ".join(columns), "|".join(["---"] * len(columns)), *lines)
    )


def plain(text: object, most: int = _LONGEST) -> str:
    """The text in one line of at most ``most`` letters, with nothing left that Markdown would read as markup."""
    line = " ".join(str(text).split())
    if len(line) > most:
        line = f"{line[:most]}…"
    return line.translate(_ESCAPES)
