"""The comparison of a run's metrics with the metrics of the model that was served."""

from rich import box
from rich.table import Table
from rich.text import Text

from cli.metrics import is_higher_better, title
from shared.versions.manifest import Manifest, Metrics, Score


def comparison(
    model_version: str,
    metrics: Metrics,
    run: Manifest | None,
    served: Manifest | None,
    *,
    ascii_only: bool = False,
) -> Table:
    """Return a table of mean ± standard deviation over the folds, and the difference of the means.

    `run` is the version of the run, and `served` what it is compared with, as far as they are
    known. A metric that one of both lacks is shown without a difference.
    """
    known = [version for version in (run, served) if version is not None]
    names = [*metrics]
    if served is not None:
        names += [name for name in served.metrics if name not in metrics]
    table = Table(
        box=box.SIMPLE_HEAD,
        caption=_caption(names, run, known),
        caption_justify="left",
        # So that the longest name and two versions fit a terminal of 80 columns.
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    table.add_column("metric", no_wrap=True)
    table.add_column(f"this run\n{model_version}", justify="right", no_wrap=True)
    if served is not None:
        before = f"served before\n{served.model_version}"
        table.add_column(before, justify="right", no_wrap=True)
        table.add_column("difference", justify="right", no_wrap=True)
    for name in names:
        score = metrics.get(name)
        row: list[str | Text] = [_name(name, run, ascii_only), _shown(score, ascii_only)]
        if served is not None:
            other = served.metrics.get(name)
            row += [_shown(other, ascii_only), _difference(name, score, other, known)]
        table.add_row(*row)
    return table


def _name(name: str, run: Manifest | None, ascii_only: bool) -> str:
    words = title(name) + (" *" if run is not None and run.metric == name else "")
    return words.replace("²", "2") if ascii_only else words


def _caption(names: list[str], run: Manifest | None, known: list[Manifest]) -> str:
    lower = [title(name) for name in names if not is_higher_better(name, known)]
    sentences = [f"Lower is better: {', '.join(lower)}."] if lower else []
    if run is not None and run.metric in names:
        sentences.append("* The gate compares by it.")
    return " ".join(sentences)


def _digits(value: float) -> str:
    """Return four decimals, or six digits of a number that has the unit of what is predicted."""
    return f"{value:.4f}" if abs(value) < 100 else f"{value:,.6g}"


def _shown(score: Score | None, ascii_only: bool) -> str:
    if score is None:
        return "-"
    return f"{_digits(score.mean)} {'+-' if ascii_only else '±'} {_digits(score.std)}"


def _difference(
    name: str, score: Score | None, before: Score | None, known: list[Manifest]
) -> str | Text:
    if score is None or before is None:
        return "-"
    value = score.mean - before.mean
    if _digits(score.mean) == _digits(before.mean) or float(f"{value:.4f}") == 0:
        return Text(f"{0:.4f}")
    better = (value > 0) == is_higher_better(name, known)
    return Text(f"{'+' if value > 0 else '-'}{_digits(abs(value))}", "green" if better else "red")
