"""What people call a metric, and which way it is better."""

import re

from shared.versions.manifest import Manifest

_TITLES = {
    "roc_auc": "ROC AUC",
    "brier_score": "Brier score",
    "f1": "F1",
    "f1_macro": "macro F1",
    "r2": "R²",
    "rmse": "RMSE",
    "mae": "MAE",
}
_LOSSES = re.compile(r"(^|_)(error|loss|deviance|brier_score|rmse|mae)$")
"""The endings of the names of what scikit-learn counts as a loss, without its `neg_`."""


def title(name: str) -> str:
    """Return what people call a metric; any other metric has the name that scikit-learn gives."""
    return _TITLES.get(name, name.replace("_", " "))


def is_higher_better(name: str, versions: list[Manifest]) -> bool:
    """Return whether a higher value is better; of the metric it compares, a version says so."""
    said = [version.higher_is_better for version in versions if version.metric == name]
    return said[0] if said else _LOSSES.search(name) is None
