"""The confusion matrix of a classifier, by the names of the labels."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from worker.training.evaluation import Evaluation
from worker.training.plots.card import INK, SHADES, label, shortened
from worker.training.plots.multiclass import commonest

_MOST_LABELS = 12
"""Labels beyond, the rarest, are counted together as `other`."""
_SHARES_UP_TO = 5
"""With more labels there is no room for shares beside the counts."""
_LEVEL_UP_TO = 4
_LONGEST_NAME = 14


def confusion_matrix(axes: Axes, evaluation: Evaluation) -> None:
    names, counts = _counts(evaluation)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    edges = np.arange(len(names) + 1) - 0.5
    axes.pcolormesh(edges, edges, shares, cmap=SHADES, vmin=0, vmax=1)
    size = {2: 14, 3: 12}.get(len(names), 10 if len(names) <= 8 else 8)
    for (row, column), count in np.ndenumerate(counts):
        text = f"{count:,}"
        if len(names) <= _SHARES_UP_TO:
            text += f"\n{shares[row, column]:.1%}"
        elif not count:
            continue
        axes.text(column, row, text, ha="center", va="center", color=INK, fontsize=size)
    places = range(len(names))
    is_level = len(names) <= _LEVEL_UP_TO and max(map(len, names)) <= _LONGEST_NAME // 2 + 4
    turned: dict[str, Any] = (
        {} if is_level else {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    )
    axes.set_xticks(places, names, **turned)
    axes.set_yticks(places, names)
    # The first label is above, as in a table.
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    label(axes, "Predicted label", "True label")


def _counts(evaluation: Evaluation) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names that the matrix has, and its counts: a row per true label."""
    labels = evaluation.labels
    named = [*range(len(labels))]
    if len(labels) > _MOST_LABELS:
        named = commonest(evaluation.actual, labels, _MOST_LABELS - 1)
    names = [shortened(labels[code], _LONGEST_NAME) for code in named]
    # Where a label stands in the matrix; the last place is that of others.
    place = np.full(len(labels), len(named))
    place[named] = np.arange(len(named))
    if len(named) < len(labels):
        names.append("other")
    size = len(names)
    pairs = place[evaluation.actual] * size + place[evaluation.predicted]
    return names, np.bincount(pairs, minlength=size * size).reshape(size, size)
