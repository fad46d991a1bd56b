import io

import pytest
from rich.console import Console

from cli.comparison import comparison
from shared.versions.manifest import Manifest, Score
from tests.support.manifests import VERSION, manifest
from tests.support.versions import metrics

_REGRESSION = {
    "r2": Score(mean=0.5, std=0.05, folds=10),
    "rmse": Score(mean=54_321.5, std=1200.25, folds=10),
    "max_error": Score(mean=12.5, std=1, folds=10),
}


def _printed(run: Manifest, *served: Manifest) -> list[list[str]]:
    console = Console(file=io.StringIO(), width=100)
    console.print(comparison("new", run.metrics, run, served[0] if served else None))
    assert isinstance(console.file, io.StringIO)
    return [line.split() for line in console.file.getvalue().splitlines() if line.strip()]


def test_two_versions_fit_a_terminal_of_80_columns() -> None:
    scores = {"balanced_accuracy": Score(mean=0.5, std=0.05, folds=10)}
    run = manifest(metrics=scores, metric="balanced_accuracy", higher_is_better=True)
    console = Console(file=io.StringIO(), width=80)
    console.print(comparison(VERSION, scores, run, run))
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue()
    assert "balanced accuracy *" in printed and "difference" in printed
    assert printed.count(VERSION) == 2


def test_without_a_served_model_there_is_nothing_to_compare_with() -> None:
    lines = _printed(manifest())
    assert ["metric", "new"] in lines
    assert ["ROC", "AUC", "*", "0.8700", "±", "0.0300"] in lines


def test_each_difference_is_that_of_the_means() -> None:
    lines = _printed(manifest(), manifest(metrics=metrics(0.8, 0.02)))
    assert ["metric", "new", VERSION, "difference"] in lines
    row = ["ROC", "AUC", "*", "0.8700", "±", "0.0300", "0.8000", "±", "0.0200", "+0.0700"]
    assert row in lines


def test_a_regression_is_compared_by_what_it_has_in_its_order() -> None:
    run = manifest(metrics=_REGRESSION, metric="rmse", higher_is_better=False)
    before = _REGRESSION | {"rmse": Score(mean=60_000, std=1, folds=10)}
    lines = _printed(run, manifest(metrics=before))
    assert [line[0] for line in lines[3:6]] == ["R²", "RMSE", "max"]
    assert lines[4][:3] == ["RMSE", "*", "54,321.5"] and lines[4][-1] == "-5,678.5"
    assert " ".join(sum(lines[6:], [])) == (
        "Lower is better: RMSE, max error. * The gate compares by it."
    )


def test_a_metric_that_one_of_both_lacks_has_no_difference() -> None:
    lines = _printed(manifest(metrics=_REGRESSION, metric="r2"), manifest())
    assert ["R²", "*", "0.5000", "±", "0.0500", "-", "-"] in lines
    assert ["ROC", "AUC", "-", "0.8700", "±", "0.0300", "-"] in lines


@pytest.mark.parametrize(
    ("name", "before", "colour"),
    [
        ("roc_auc", 0.8, "green"),
        ("roc_auc", 0.9, "red"),
        ("log_loss", 0.8, "red"),
        ("log_loss", 0.9, "green"),
        ("log_loss", 0.87, ""),
        ("brier_score", 0.8, "red"),
    ],
)
def test_better_is_green_and_worse_red(name: str, before: float, colour: str) -> None:
    run = manifest()
    old = manifest(metrics=run.metrics | {name: Score(mean=before, std=0.03, folds=10)})
    table = comparison("new", run.metrics, run, old)
    row = list(run.metrics).index(name)
    (cell,) = [c for i, c in enumerate(table.columns[3].cells) if i == row]
    assert str(getattr(cell, "style", "")) == colour


def test_a_version_says_itself_which_way_its_metric_is_better() -> None:
    odd = {"surprise": Score(mean=2, std=1, folds=10)}
    run = manifest(metrics=odd, metric="surprise", higher_is_better=False)
    before = manifest(metrics={"surprise": Score(mean=3, std=1, folds=10)})
    table = comparison("new", odd, run, before)
    (cell,) = table.columns[3].cells
    assert str(getattr(cell, "style", "")) == "green"


def test_a_run_whose_version_is_gone_shows_its_metrics_all_the_same() -> None:
    table = comparison("new", metrics(), None, None)
    assert table.row_count == 4
