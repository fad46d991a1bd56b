import math

import pytest

from shared.versions.manifest import TrainingData
from tests.support.manifests import VERSION, manifest
from tests.support.versions import metrics
from worker.training.gate import promotion_gate
from worker.training.served import Served

DATA = TrainingData(source="test", sha256="a" * 64, rows=100, positives=40)


def served(roc_auc: float, sha256: str = DATA.sha256) -> Served:
    data = DATA.model_copy(update={"sha256": sha256})
    return Served(manifest(VERSION, metrics=metrics(roc_auc), data=data))


@pytest.mark.parametrize("forced", [False, True])
def test_the_first_model_is_promoted(forced: bool) -> None:
    gate = promotion_gate(metrics(0.1), DATA, Served(), tolerance=0, forced=forced)
    assert (gate.outcome, gate.compared_with) == ("promoted", None)
    assert "no served model" in gate.reason


@pytest.mark.parametrize(("forced", "outcome"), [(False, "rejected"), (True, "promoted")])
def test_what_cannot_be_compared_is_promoted_by_force_alone(forced: bool, outcome: str) -> None:
    unknown = Served(unknown="the manifest is gone")
    gate = promotion_gate(metrics(0.99), DATA, unknown, tolerance=1, forced=forced)
    assert (gate.outcome, gate.compared_with) == (outcome, None)
    assert "the manifest is gone" in gate.reason
    assert ("force" in gate.reason) is forced


@pytest.mark.parametrize(
    ("candidate", "std", "tolerance", "outcome"),
    [
        # Better, or the same.
        (0.875, 0.0, 0.0, "promoted"),
        (0.9, 0.0, 0.0, "promoted"),
        # Worse, by less and by more than the tolerance, which is larger than the error.
        (0.75, 0.0, 0.125, "promoted"),
        (0.76, 0.01, 0.125, "promoted"),
        (0.74, 0.01, 0.125, "rejected"),
        (0.874, 0.0, 0.0, "rejected"),
        # Worse, by less and by more than one standard error, which is larger than the tolerance:
        # 0.1 / sqrt(10) = 0.0316.
        (0.844, 0.1, 0.01, "promoted"),
        (0.843, 0.1, 0.01, "rejected"),
        (0.844, 0.1, 0.0, "promoted"),
    ],
)
def test_a_candidate_may_be_a_little_worse_and_no_more(
    candidate: float, std: float, tolerance: float, outcome: str
) -> None:
    gate = promotion_gate(
        metrics(candidate, std), DATA, served(0.875), tolerance=tolerance, forced=False
    )
    assert gate.outcome == outcome
    assert gate.compared_with == VERSION


def test_a_rejection_says_both_scores_what_is_allowed_and_of_which_version() -> None:
    gate = promotion_gate(metrics(0.8, 0.1), DATA, served(0.87), tolerance=0.01, forced=False)
    allowed = 0.1 / math.sqrt(10)
    for part in ("0.8000", "0.8700", f"{allowed:.4f}", VERSION):
        assert part in gate.reason
    assert "different data" not in gate.reason
    assert "force" not in gate.reason


def test_force_promotes_what_the_gate_would_reject_and_says_so() -> None:
    gate = promotion_gate(metrics(0.5), DATA, served(0.87), tolerance=0.01, forced=True)
    assert gate.outcome == "promoted"
    assert "force" in gate.reason and "0.5000" in gate.reason


def test_force_is_not_blamed_for_a_promotion_that_was_earned() -> None:
    gate = promotion_gate(metrics(0.9), DATA, served(0.87), tolerance=0.01, forced=True)
    assert gate.outcome == "promoted"
    assert "force" not in gate.reason


@pytest.mark.parametrize("candidate", [0.9, 0.5])
def test_a_comparison_over_different_data_says_so(candidate: float) -> None:
    gate = promotion_gate(
        metrics(candidate), DATA, served(0.87, sha256="b" * 64), tolerance=0.01, forced=False
    )
    assert "different data" in gate.reason
