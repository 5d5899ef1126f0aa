"""Bar charts of a distribution, as PNG."""

import io

import pyarrow as pa

from resources.dataset.bins import BINS
from resources.dataset.distribution import ALL

_TITLES = {
    "text_len": "Words in a caption",
    "duration_s": "Duration",
    "num_frames": "Frames",
    "kind": "Videos and images",
    "codec": "Codecs",
}
_BARS = 25
_BINNED = {one.facet for one in BINS} | {"kind", "codec"}
# Okabe and Ito's palette: told apart with any kind of colour vision, on white and on dark grey.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")


def title(facet: str) -> str:
    """What is written above the plot of a facet."""
    return _TITLES.get(facet, facet.replace("_", " ").capitalize())


def draw_plots(table: pa.Table) -> dict[str, bytes]:
    """A PNG for each facet that has rows. ``table`` has the columns of DISTRIBUTION_SCHEMA.

    Lengths of captions get one bar a captioner; everything else is drawn over the whole collection.
    """
    rows = table.to_pylist()
    plots = {}
    for facet in dict.fromkeys(row["facet"] for row in rows):
        mine = [row for row in rows if row["facet"] == facet]
        if facet == "text_len":
            captioners = sorted({row["captioner"] for row in mine} - {ALL})
            if captioners:
                plots[facet] = _grouped(facet, mine, captioners)
        elif bars := [(row["value"], row["clips"]) for row in mine if row["captioner"] == ALL][:_BARS]:
            plots[facet] = _bars(facet, bars, across=facet not in _BINNED)
    return plots


def _bars(facet: str, bars: list[tuple[str, int]], across: bool) -> bytes:
    names, counts = [_short(name) for name, _ in bars], [count for _, count in bars]
    figure, axes = _figure(6.4, 0.8 + 0.24 * len(bars) if across else 3.0)
    if across:
        axes.barh(range(len(bars)), counts, color=_COLOURS[0])
        axes.set_yticks(range(len(bars)), names)
        axes.invert_yaxis()
        axes.set_xlabel("clips")
    else:
        axes.bar(range(len(bars)), counts, color=_COLOURS[0])
        axes.set_xticks(range(len(bars)), names, rotation=20, ha="right")
        axes.set_ylabel("clips")
    return _png(figure, axes, facet)


def _grouped(facet: str, rows: list[dict], captioners: list[str]) -> bytes:
    used = {row["position"] for row in rows}
    places = [
        (one.position, one.label)
        for one in BINS
        if one.facet == facet and min(used) <= one.position <= max(used)
    ]
    figure, axes = _figure(6.4, 3.2)
    width = 0.8 / len(captioners)
    for number, captioner in enumerate(captioners):
        shares = {row["position"]: 100 * row["share"] for row in rows if row["captioner"] == captioner}
        axes.bar(
            [place + (number - (len(captioners) - 1) / 2) * width for place in range(len(places))],
            [shares.get(position, 0) for position, _ in places],
            width,
            color=_COLOURS[number % len(_COLOURS)],
            label=captioner,
        )
    axes.set_xticks(range(len(places)), [name for _, name in places], rotation=20, ha="right")
    axes.set_ylabel("% of its captions")
    axes.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    return _png(figure, axes, facet)


def _figure(width: float, height: float):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _png(figure, axes, facet: str) -> bytes:
    axes.set_title(title(facet), fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _short(name: str) -> str:
    text = " ".join(name.split())
    text = text if len(text) <= 28 else f"{text[:27]}…"
    return text.replace("$", r"\$")
