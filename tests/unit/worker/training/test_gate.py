import math

import pytest

from shared.schema.schema import Schema
from shared.versions.manifest import Metrics, Score, TrainingData
from tests.support.manifests import VERSION, manifest
from tests.support.versions import definition, metrics
from worker.training.gate import Candidate, promotion_gate
from worker.training.scoring import Metric
from worker.training.served import Served

DATA = TrainingData(source="test", sha256="a" * 64, rows=100, positives=40)


SCHEMA = definition().schema
ROC_AUC = Metric("roc_auc", "roc_auc")
PRICE = definition("diabetes").schema
RMSE = Metric("rmse", "neg_root_mean_squared_error")


def candidate(roc_auc: float, std: float = 0.03) -> Candidate:
    return Candidate(SCHEMA, metrics(roc_auc, std), ROC_AUC, DATA)


def scores(std: float = 0.0, **means: float) -> Metrics:
    return {name: Score(mean=mean, std=std, folds=10) for name, mean in means.items()}


def other(schema: Schema, of: Metrics, metric: str = "r2") -> Served:
    return Served(manifest(VERSION, schema=schema, metrics=of, metric=metric, data=DATA))


def served(roc_auc: float, sha256: str = DATA.sha256) -> Served:
    data = DATA.model_copy(update={"sha256": sha256})
    return Served(manifest(VERSION, metrics=metrics(roc_auc), data=data))


@pytest.mark.parametrize("forced", [False, True])
def test_the_first_model_is_promoted(forced: bool) -> None:
    gate = promotion_gate(candidate(0.1), Served(), tolerance=0, forced=forced)
    assert (gate.outcome, gate.compared_with) == ("promoted", None)
    assert "no served model" in gate.reason


@pytest.mark.parametrize(("forced", "outcome"), [(False, "rejected"), (True, "promoted")])
def test_what_cannot_be_compared_is_promoted_by_force_alone(forced: bool, outcome: str) -> None:
    unknown = Served(unknown="the manifest is gone")
    gate = promotion_gate(candidate(0.99), unknown, tolerance=1, forced=forced)
    assert (gate.outcome, gate.compared_with) == (outcome, None)
    assert "the manifest is gone" in gate.reason
    assert ("force" in gate.reason) is forced


@pytest.mark.parametrize(
    ("score", "std", "tolerance", "outcome"),
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
    score: float, std: float, tolerance: float, outcome: str
) -> None:
    gate = promotion_gate(candidate(score, std), served(0.875), tolerance=tolerance, forced=False)
    assert gate.outcome == outcome
    assert gate.compared_with == VERSION


def test_a_rejection_says_both_scores_what_is_allowed_and_of_which_version() -> None:
    gate = promotion_gate(candidate(0.8, 0.1), served(0.87), tolerance=0.01, forced=False)
    allowed = 0.1 / math.sqrt(10)
    for part in ("0.8000", "0.8700", f"{allowed:.4f}", VERSION):
        assert part in gate.reason
    assert "different data" not in gate.reason
    assert "force" not in gate.reason


def test_force_promotes_what_the_gate_would_reject_and_says_so() -> None:
    gate = promotion_gate(candidate(0.5), served(0.87), tolerance=0.01, forced=True)
    assert gate.outcome == "promoted"
    assert "force" in gate.reason and "0.5000" in gate.reason


def test_force_is_not_blamed_for_a_promotion_that_was_earned() -> None:
    gate = promotion_gate(candidate(0.9), served(0.87), tolerance=0.01, forced=True)
    assert gate.outcome == "promoted"
    assert "force" not in gate.reason


@pytest.mark.parametrize("score", [0.9, 0.5])
def test_a_comparison_over_different_data_says_so(score: float) -> None:
    gate = promotion_gate(
        candidate(score), served(0.87, sha256="b" * 64), tolerance=0.01, forced=False
    )
    assert "different data" in gate.reason


# --- by metric -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rmse", "std", "outcome"),
    [
        (5_000.0, 0.0, "promoted"),
        (4_000.0, 0.0, "promoted"),
        # A hundredth of the served error, whatever its unit.
        (5_050.0, 0.0, "promoted"),
        (5_051.0, 0.0, "rejected"),
        # One standard error is larger.
        (5_090.0, 300.0, "promoted"),
        (5_096.0, 300.0, "rejected"),
    ],
)
def test_an_error_may_be_a_little_larger_by_a_share_of_it(
    rmse: float, std: float, outcome: str
) -> None:
    new = Candidate(PRICE, scores(std, r2=0.5, rmse=rmse), RMSE, DATA)
    before = other(PRICE, scores(r2=0.9, rmse=5_000.0))
    gate = promotion_gate(new, before, tolerance=0.01, forced=False)
    assert gate.outcome == outcome
    assert "RMSE" in gate.reason and "5,000 of the served" in gate.reason
    assert "higher is allowed" in gate.reason


def test_a_metric_that_the_served_version_lacks_is_said_and_another_compared() -> None:
    own = Metric("f1", "f1")
    new = Candidate(SCHEMA, metrics(0.86) | scores(f1=0.9), own, DATA)
    gate = promotion_gate(new, served(0.87), tolerance=0.02, forced=False)
    assert gate.outcome == "promoted"
    assert f"{VERSION} has no f1, so the two are compared by ROC AUC: " in gate.reason
    assert "0.8600 against 0.8700" in gate.reason


@pytest.mark.parametrize(("forced", "outcome"), [(False, "rejected"), (True, "promoted")])
def test_with_no_metric_in_common_nothing_can_be_compared(forced: bool, outcome: str) -> None:
    new = Candidate(PRICE, scores(r2=0.5), Metric("r2", "r2"), DATA)
    before = other(PRICE, scores(max_error=3.0), "max_error")
    gate = promotion_gate(new, before, tolerance=1, forced=forced)
    assert (gate.outcome, gate.compared_with) == (outcome, VERSION)
    assert "cannot be compared" in gate.reason and "r2" in gate.reason
    assert ("force was asked for" in gate.reason) is forced


# --- by schema -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("forced", "outcome"), [(False, "rejected"), (True, "promoted")])
def test_a_candidate_that_would_refuse_what_is_answered_is_promoted_by_force_alone(
    forced: bool, outcome: str
) -> None:
    strict = SCHEMA.model_copy(
        update={"features": tuple(f.model_copy(update={"required": True}) for f in SCHEMA.features)}
    )
    new = Candidate(strict, metrics(0.99), ROC_AUC, DATA)
    gate = promotion_gate(new, served(0.5), tolerance=0.01, forced=forced)
    assert (gate.outcome, gate.compared_with) == (outcome, VERSION)
    assert VERSION in gate.reason and "Age became required" in gate.reason
    assert ("force was asked for" in gate.reason) is forced


def test_another_kind_of_model_is_rejected_however_well_it_scores() -> None:
    new = Candidate(PRICE, scores(r2=0.99), Metric("r2", "r2"), DATA)
    gate = promotion_gate(new, served(0.5), tolerance=1, forced=False)
    assert gate.outcome == "rejected"
    assert "the kind was binary and is regression" in gate.reason
