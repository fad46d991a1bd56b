import pytest

from cli.outcome import exit_status
from tests.support.jobs import job
from tests.support.versions import metrics


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
        "metrics": metrics(),
    }
    ended = job(status=status, result=result)
    assert exit_status(ended) == expected
