"""The card that every plot is drawn on: its size, its colours, its text.

The plots are made with matplotlib's objects, not with pyplot, which would keep every figure. Each
plot is as wide as a phone, on a white card that can be read in a dark page too.
"""

import io
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from worker.training.evaluation import Evaluation

INCHES = (4.5, 4.1)
"""432 by 394 pixels in a browser; shrunk to 360 pixels, the text is still 12 pixels high."""
ACCENT, MUTED, INK = "#0b6e8f", "#8a98a1", "#26343b"
SHADES = LinearSegmentedColormap.from_list("shades", ["#ffffff", "#8cc0d0"])
"""Every shade is light enough for dark text."""
STYLE: dict[Any, Any] = {
    # Text stays text: it can be read out, and is drawn with the reader's own fonts. matplotlib
    # leaves room for its own font, which is wide.
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["Segoe UI", "Helvetica Neue", "Roboto", "DejaVu Sans"],
    "font.size": 11,
    # A feature may be called "US$".
    "text.parse_math": False,
    # The same run gives the same bytes.
    "svg.hashsalt": "lifeboat",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#c3ccd1",
    "grid.color": "#e6eaec",
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    # Inches.
    "figure.constrained_layout.w_pad": 0.1,
    "figure.constrained_layout.h_pad": 0.1,
    "legend.frameon": False,
    "legend.fontsize": 10,
}


CLASS_STYLES = (
    *((ACCENT, "-"), ("#b5540b", "--"), ("#5b7f2b", "-."), ("#8a3d8f", ":")),
    *(("#26343b", "-"), ("#0b8f7a", "--"), ("#c23b5a", "-."), ("#7a6a1f", ":")),
)
"""A colour and a dash for each class that has a curve; the dash is for those who see no colours."""

POINTS, FOLD_POINTS = 500, 100
"""Most points of a curve: with a million rows it would have some megabytes, and look the same."""

Put = Callable[[Axes, Evaluation], None]
"""Draws a plot."""


def svg(put: Put, evaluation: Evaluation) -> bytes:
    """Return a plot as SVG. The same evaluation gives the same bytes."""
    content = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=INCHES, layout="constrained")
        put(figure.add_subplot(), evaluation)
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    return content.getvalue()


def thinned(along: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Return at most `most` points of a curve to keep, at even steps of `along`, which rises."""
    if len(along) <= most:
        return np.arange(len(along))
    steps = np.linspace(along[0], along[-1], most)
    return np.unique(np.searchsorted(along, steps).clip(max=len(along) - 1))


def label(axes: Axes, x: str, y: str) -> None:
    # The displays would keep both scales equal, and leave a part of the card empty.
    axes.set(xlabel=x, ylabel=y, aspect="auto")


def shortened(name: object, longest: int) -> str:
    text = str(name)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
