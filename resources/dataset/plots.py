"""Bar charts of a distribution, as PNG."""

import io
from typing import TYPE_CHECKING

import pyarrow as pa

from resources.dataset.bins import BINS
from resources.dataset.distribution import ALL, CLIP_FACETS

if TYPE_CHECKING:
    import pandas as pd

_TITLES = {
    "text_len": "Words in a caption",
    "duration_s": "Duration",
    "num_frames": "Frames",
    "kind": "Videos and images",
    "codec": "Codecs",
}
_BARS = 25
_NAME = 28  # letters of a value beside its bar
# Okabe and Ito's palette: told apart with any kind of colour vision, on white and on dark grey.
_COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"]


def title(facet: str) -> str:
    """What is written above the plot of a facet."""
    return _TITLES.get(facet, facet.replace("_", " ").capitalize())


def draw_plots(table: pa.Table) -> dict[str, bytes]:
    """A PNG for each facet that has rows. ``table`` has the columns of DISTRIBUTION_SCHEMA.

    Lengths of captions get one bar a captioner; everything else is drawn over the whole collection.
    """
    plots = {}
    for facet, rows in table.to_pandas().groupby("facet", sort=False):
        name, of_all = str(facet), rows["captioner"] == ALL
        if name == "text_len" and not of_all.all():
            plots[name] = _draw(name, _shares(name, rows[~of_all]), "% of its captions")
        elif name != "text_len" and of_all.any():
            plots[name] = _draw(name, rows[of_all].head(_BARS).set_index("value")[["clips"]], "clips")
    return plots


def _shares(facet: str, rows: "pd.DataFrame") -> "pd.DataFrame":
    """Of each captioner the share of each class in percent, from the lowest class that occurs to the highest."""
    used = range(rows["position"].min(), rows["position"].max() + 1)
    classes = [one.label for one in BINS if one.facet == facet and one.position in used]
    return rows.pivot(index="value", columns="captioner", values="share").reindex(classes).fillna(0) * 100


def _draw(facet: str, bars: "pd.DataFrame", unit: str) -> bytes:
    """One group of bars a row, one bar in it a column; across where the values are words."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    across = facet not in CLIP_FACETS
    figure = Figure((6.4, 0.8 + 0.24 * len(bars) if across else 3.1), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    bars.rename(index=_short).plot(
        kind="barh" if across else "bar",
        ax=axes,
        color=_COLOURS,
        width=0.8,
        legend=False,
        rot=0 if across else 20,
    )
    axes.set(xlabel=unit if across else "", ylabel="" if across else unit)
    if across:
        axes.invert_yaxis()
    if len(bars.columns) > 1:
        axes.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    axes.set_title(title(facet), fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _short(name: str) -> str:
    text = " ".join(name.split())
    text = text if len(text) <= _NAME else f"{text[: _NAME - 1]}…"
    return text.replace("$", r"\$")
