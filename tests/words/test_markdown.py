import pytest

from resources.words.markdown import plain


@pytest.mark.parametrize(
    "text",
    [
        "![x](http://evil.example/a.png)",
        "[click](javascript:alert(1))",
        "<img src=http://evil.example/a.png>",
        "a | b\n---|---\n![x][y]",
        "`code` **bold** _it_ ~~gone~~ # head",
        "\\![x](http://evil.example)",
    ],
)
def test_foreign_words_draw_nothing_but_themselves(text: str) -> None:
    shown = plain(text)
    assert "\n" not in shown
    assert "<" not in shown
    for sign in "`*_~[]|!#":
        assert all(shown[place - 1] == "\\" for place, char in enumerate(shown) if char == sign)
    # Every backslash of the text itself is escaped, so that none of them takes the escape off its neighbour.
    assert plain("\\!") == "\\\\\\!"


def test_a_long_text_is_cut() -> None:
    assert plain("x" * 500) == "x" * 400 + "…"
