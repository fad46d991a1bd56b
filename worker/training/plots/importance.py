"""Which features a model uses."""

from matplotlib.axes import Axes

from worker.training.evaluation import Evaluation
from worker.training.plots.card import ACCENT, MUTED, label, shortened

_MOST_FEATURES, _LONGEST_NAME = 20, 24


def permutation_importance(axes: Axes, evaluation: Evaluation) -> None:
    mean = evaluation.importances.mean(axis=1).sort_values().tail(_MOST_FEATURES)
    spread = evaluation.importances.std(axis=1)[mean.index]
    names = [shortened(name, _LONGEST_NAME) for name in mean.index]
    places = range(len(mean))
    axes.barh(places, mean, xerr=spread, color=ACCENT, height=0.65, ecolor=MUTED)
    axes.set_yticks(places, names)
    axes.grid(visible=False, axis="y")
    axes.axvline(0, color=MUTED, linewidth=0.8)
    metric = evaluation.metric
    way = "Fall" if metric.higher_is_better else "Rise"
    said = f"{way} of the {metric.title}"
    # A longer line would not fit on the card.
    gap = " " if len(said) < 24 else "\n"
    label(axes, f"{said}{gap}when it is shuffled", "")
