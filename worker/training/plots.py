"""The plots of a candidate, as SVG: its scores on rows that its fits had not seen.

The plots are made with matplotlib's objects, not with pyplot, which would keep every figure. Each
plot is as wide as a phone, on a white card that can be read in a dark page too.
"""

import io
import logging
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    PrecisionRecallDisplay,
    RocCurveDisplay,
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from shared.versions.manifest import Plot
from worker.training.evaluation import Evaluation

_INCHES = (4.5, 4.1)
"""432 by 394 pixels in a browser; shrunk to 360 pixels, the text is still 12 pixels high."""
_ACCENT, _MUTED, _INK = "#0b6e8f", "#8a98a1", "#26343b"
_SHADES = LinearSegmentedColormap.from_list("shades", ["#ffffff", "#8cc0d0"])
"""Every shade is light enough for dark text."""
_STYLE: dict[Any, Any] = {
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
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    # Inches.
    "figure.constrained_layout.w_pad": 0.1,
    "figure.constrained_layout.h_pad": 0.1,
    "legend.frameon": False,
    "legend.fontsize": 10,
}

_POINTS, _FOLD_POINTS = 500, 100
"""Most points of a curve: with a million rows it would have some megabytes, and look the same."""
_BINS = 10
_MOST_FEATURES, _LONGEST_NAME = 20, 24

log = logging.getLogger(__name__)


def draw(evaluation: Evaluation) -> dict[Plot, bytes]:
    """Draw each plot as SVG. The same evaluation gives the same bytes.

    A plot that cannot be drawn is logged and left out: no version is refused for a picture.
    """
    drawn = {}
    for plot, put in _PLOTS.items():
        try:
            drawn[plot] = _svg(put, evaluation)
        except Exception:
            log.exception("the plot %s could not be drawn; the version has none", plot)
    return drawn


def _svg(put: Callable[[Axes, Evaluation], None], evaluation: Evaluation) -> bytes:
    content = io.BytesIO()
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=_INCHES, layout="constrained")
        put(figure.add_subplot(), evaluation)
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    return content.getvalue()


def _roc(axes: Axes, evaluation: Evaluation) -> None:
    labels, probabilities = evaluation.labels, evaluation.probabilities
    for fold in np.unique(evaluation.folds):
        rows = evaluation.folds == fold
        false_rate, true_rate = _roc_points(labels[rows], probabilities[rows], _FOLD_POINTS)
        axes.plot(
            *(false_rate, true_rate),
            color=_MUTED,
            linewidth=0.7,
            alpha=0.5,
            label="each fold" if fold == evaluation.folds.min() else None,
        )
    false_rate, true_rate = _roc_points(labels, probabilities, _POINTS)
    area = roc_auc_score(labels, probabilities)
    RocCurveDisplay(fpr=false_rate, tpr=true_rate).plot(
        ax=axes,
        curve_kwargs={
            "color": _ACCENT,
            "linewidth": 2,
            "label": f"all folds together: AUC {area:.3f}",
        },
        plot_chance_level=True,
        chance_level_kw={"color": _MUTED, "linestyle": ":", "label": "by chance: AUC 0.5"},
    )
    _label(axes, "False positive rate", "True positive rate")


def _roc_points(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    false_rate, true_rate, _ = roc_curve(labels, probabilities)
    kept = _thinned(false_rate + true_rate, most)
    return false_rate[kept], true_rate[kept]


def _precision_recall(axes: Axes, evaluation: Evaluation) -> None:
    labels, probabilities = evaluation.labels, evaluation.probabilities
    precision, recall, _ = precision_recall_curve(labels, probabilities, drop_intermediate=True)
    # From the threshold that finds no row to the threshold that finds all: recall rises, as
    # `_thinned` needs it.
    precision, recall = precision[::-1], recall[::-1]
    kept = _thinned(recall, _POINTS)
    area = average_precision_score(labels, probabilities)
    share = labels.mean()
    PrecisionRecallDisplay(
        precision[kept][::-1], recall[kept][::-1], prevalence_pos_label=share
    ).plot(
        ax=axes,
        color=_ACCENT,
        linewidth=2,
        label=f"average precision {area:.3f}",
        plot_chance_level=True,
        chance_level_kw={"color": _MUTED, "linestyle": ":", "label": f"by chance: {share:.3f}"},
    )
    _label(axes, "Recall", "Precision")


def _thinned(along: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Return at most `most` points of a curve to keep, at even steps of `along`, which rises."""
    if len(along) <= most:
        return np.arange(len(along))
    steps = np.linspace(along[0], along[-1], most)
    return np.unique(np.searchsorted(along, steps).clip(max=len(along) - 1))


def _calibration(axes: Axes, evaluation: Evaluation) -> None:
    CalibrationDisplay.from_predictions(
        evaluation.labels,
        evaluation.probabilities,
        n_bins=_BINS,
        # The same number of rows in each bin: most bins of even width would be nearly empty.
        strategy="quantile",
        ax=axes,
        color=_ACCENT,
        linewidth=2,
        marker="o",
        markersize=5,
        name="each point a tenth of the rows",
    )
    perfect = axes.lines[0]
    perfect.set(color=_MUTED, label="perfectly calibrated")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(loc="upper left")
    _label(axes, "Mean predicted probability", "Share with label 1")


def _confusion_matrix(axes: Axes, evaluation: Evaluation) -> None:
    display = ConfusionMatrixDisplay.from_predictions(
        evaluation.labels, evaluation.probabilities > 0.5, ax=axes, colorbar=False
    )
    counts = display.confusion_matrix
    shares = counts / counts.sum(axis=1, keepdims=True)
    # The display's own image is a bitmap within the SVG.
    display.im_.remove()
    edges = np.arange(len(counts) + 1) - 0.5
    axes.pcolormesh(edges, edges, shares, cmap=_SHADES, vmin=0, vmax=1)
    for place, text in np.ndenumerate(display.text_):
        text.set(text=f"{counts[place]:,}\n{shares[place]:.1%}", color=_INK, fontsize=14)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    _label(axes, "Predicted label (1 above a probability of 0.5)", "True label")


def _permutation_importance(axes: Axes, evaluation: Evaluation) -> None:
    mean = evaluation.importances.mean(axis=1).sort_values().tail(_MOST_FEATURES)
    spread = evaluation.importances.std(axis=1)[mean.index]
    names = [
        name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
        for name in map(str, mean.index)
    ]
    places = range(len(mean))
    axes.barh(places, mean, xerr=spread, color=_ACCENT, height=0.65, ecolor=_MUTED)
    axes.set_yticks(places, names)
    axes.grid(visible=False, axis="y")
    axes.axvline(0, color=_MUTED, linewidth=0.8)
    _label(axes, "Fall of the ROC AUC when it is shuffled", "")


def _label(axes: Axes, x: str, y: str) -> None:
    # The displays would keep both scales equal, and leave a part of the card empty.
    axes.set(xlabel=x, ylabel=y, aspect="auto")


_PLOTS: dict[Plot, Callable[[Axes, Evaluation], None]] = {
    Plot.ROC: _roc,
    Plot.PRECISION_RECALL: _precision_recall,
    Plot.CALIBRATION: _calibration,
    Plot.CONFUSION_MATRIX: _confusion_matrix,
    Plot.PERMUTATION_IMPORTANCE: _permutation_importance,
}
