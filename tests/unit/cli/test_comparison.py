import io

import pytest
from rich.console import Console

from cli.comparison import comparison
from shared.versions.manifest import Metrics, Score
from tests.support.versions import metrics


def _printed(*served: tuple[str, Metrics]) -> list[list[str]]:
    console = Console(file=io.StringIO(), width=100)
    console.print(comparison("new", metrics(0.87), served[0] if served else None))
    assert isinstance(console.file, io.StringIO)
    return [line.split() for line in console.file.getvalue().splitlines() if line.strip()]


def test_without_a_served_model_there_is_nothing_to_compare_with() -> None:
    lines = _printed()
    assert ["metric", "new"] in lines
    assert ["ROC", "AUC", "0.8700", "±", "0.0300"] in lines


def test_each_difference_is_that_of_the_means() -> None:
    lines = _printed(("old", metrics(0.8, 0.02)))
    assert ["metric", "new", "old", "difference"] in lines
    assert ["ROC", "AUC", "0.8700", "±", "0.0300", "0.8000", "±", "0.0200", "+0.0700"] in lines


@pytest.mark.parametrize(
    ("name", "before", "colour"),
    [
        ("roc_auc", 0.8, "green"),
        ("roc_auc", 0.9, "red"),
        ("log_loss", 0.8, "red"),
        ("log_loss", 0.9, "green"),
        ("log_loss", 0.87, ""),
    ],
)
def test_better_is_green_and_worse_red(name: str, before: float, colour: str) -> None:
    new = metrics(0.87)
    old = new.model_copy(update={name: Score(mean=before, std=0.03, folds=10)})
    table = comparison("new", new, ("old", old))
    row = list(Metrics.model_fields).index(name)
    (cell,) = [c for i, c in enumerate(table.columns[3].cells) if i == row]
    assert str(getattr(cell, "style", "")) == colour
