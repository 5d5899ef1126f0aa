"""Foreign words as Markdown: captions, ids and paths that reach a page draw nothing but themselves."""

_LONGEST = 400
_ESCAPES = str.maketrans(
    {"<": "&lt;", ">": "&gt;", "&": "&amp;", **{sign: f"\\{sign}" for sign in "\\`*_~[]|!#"}}
)


def plain(text: object, most: int = _LONGEST) -> str:
    """The text in one line of at most ``most`` letters, with nothing left that Markdown would read as markup."""
    line = " ".join(str(text).split())
    if len(line) > most:
        line = f"{line[:most]}…"
    return line.translate(_ESCAPES)
