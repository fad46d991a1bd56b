import io

import pytest
from rich.console import Console

from cli.comparison import comparison
from cli.retrain import exit_status, requested_by
from shared.jobs.job import Job
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


@pytest.mark.parametrize(
    ("status", "outcome", "expected"),
    [
        ("succeeded", "promoted", 0),
        ("failed", None, 1),
        ("succeeded", "rejected", 3),
        ("cancelled", None, 4),
    ],
)
def test_the_exit_status_says_how_a_run_ended(
    status: str, outcome: str | None, expected: int
) -> None:
    result = outcome and {
        "outcome": outcome,
        "reason": "",
        "model_version": "new",
        "metrics": metrics().model_dump(),
    }
    job = Job.model_validate(
        {"job_id": "0" * 32, "status": status, "stage": None, "progress": 1, "attempts": 1}
        | {"worker": None, "requested_by": None, "forced": False, "request_id": None}
        | {"created_at": "2026-11-25T00:00:00Z", "started_at": None, "finished_at": None}
        | {"result": result, "error": None}
    )
    assert exit_status(job) == expected


def test_who_asks_is_named_in_printable_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "zoë\n")
    monkeypatch.setattr("socket.gethostname", lambda: "h" * 100)
    assert requested_by() == ("zo??@" + "h" * 100)[:64]

    def nameless() -> str:
        raise OSError("no such user")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert requested_by()[0].isdigit()
