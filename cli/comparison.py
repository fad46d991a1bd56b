"""The comparison of a run's metrics with the metrics of the model that was served."""

from rich import box
from rich.table import Table
from rich.text import Text

from shared.versions.manifest import Metrics, Score

_NAMES = {
    "roc_auc": "ROC AUC",
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "brier_score": "Brier score",
}
_LOWER_IS_BETTER = {"log_loss", "brier_score"}


def comparison(
    model_version: str,
    metrics: Metrics,
    served: tuple[str, Metrics] | None,
    *,
    ascii_only: bool = False,
) -> Table:
    """Return a table of mean ± standard deviation over the folds, and the difference of the means.

    `served` is the version that the run is compared with, and its metrics.
    """
    table = Table(
        box=box.SIMPLE_HEAD,
        caption="For log loss and the Brier score, lower is better.",
        caption_justify="left",
    )
    table.add_column("metric", no_wrap=True)
    table.add_column(f"this run\n{model_version}", justify="right", no_wrap=True)
    if served is not None:
        table.add_column(f"served before\n{served[0]}", justify="right", no_wrap=True)
        table.add_column("difference", justify="right", no_wrap=True)
    for name, words in _NAMES.items():
        score: Score = getattr(metrics, name)
        row: list[str | Text] = [words, _shown(score, ascii_only)]
        if served is not None:
            before: Score = getattr(served[1], name)
            row += [_shown(before, ascii_only), _difference(name, score.mean - before.mean)]
        table.add_row(*row)
    return table


def _shown(score: Score, ascii_only: bool) -> str:
    return f"{score.mean:.4f} {'+-' if ascii_only else '±'} {score.std:.4f}"


def _difference(name: str, value: float) -> Text:
    shown = f"{value:+.4f}"
    if float(shown) == 0:
        return Text(f"{0:.4f}")
    better = (value < 0) == (name in _LOWER_IS_BETTER)
    return Text(shown, "green" if better else "red")
