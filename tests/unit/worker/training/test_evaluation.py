import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from shared.errors import RunCancelled
from shared.versions.manifest import Metrics
from tests.support.fits import cross_validation
from tests.support.versions import training_table
from worker.training import evaluation
from worker.training.evaluation import FOLDS, Evaluation, cross_validate


class Guesser:
    """Says of a passenger what the table says in its column `chance`."""

    def fit(self) -> None:
        """As every estimator has it."""

    def predict_proba(self, features: pd.DataFrame) -> NDArray[np.float64]:
        chance = features["chance"].to_numpy()
        return np.column_stack([1 - chance, chance])


class Fits:
    """Stands in for `estimator.fit`, and remembers on which rows it was asked to fit."""

    def __init__(self) -> None:
        self.rows: list[set[int]] = []

    def __call__(self, features: pd.DataFrame, labels: NDArray[np.int64]) -> Guesser:
        assert len(features) == len(labels)
        self.rows.append(set(features.index))
        return Guesser()


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Fits:
    fits = Fits()
    monkeypatch.setattr(evaluation, "fit", fits)
    return fits


def a_hundred_rows() -> tuple[pd.DataFrame, NDArray[np.int64]]:
    random = np.random.default_rng(0)
    labels = np.array([0] * 60 + [1] * 40)
    chance = np.clip(0.3 + 0.3 * labels + random.normal(0, 0.2, 100), 0.01, 0.99)
    return pd.DataFrame({"chance": chance}), labels


def run(features: pd.DataFrame, labels: NDArray[np.int64]) -> Metrics:
    return evaluate(features, labels).metrics


def evaluate(features: pd.DataFrame, labels: NDArray[np.int64]) -> Evaluation:
    return cross_validate(features, labels, lambda _: None)


def test_each_row_is_kept_from_one_fold_and_each_fold_has_both_labels(fits: Fits) -> None:
    features, labels = a_hundred_rows()
    run(features, labels)
    kept = [set(range(100)) - rows for rows in fits.rows]
    assert len(kept) == FOLDS == 10
    assert sorted(row for fold in kept for row in fold) == list(range(100))
    assert [int(labels[list(fold)].sum()) for fold in kept] == [4] * 10


def test_two_runs_are_scored_on_the_same_folds(fits: Fits) -> None:
    features, labels = a_hundred_rows()
    assert run(features, labels) == run(features, labels)
    assert fits.rows[:10] == fits.rows[10:]


def test_the_scores_are_mean_and_spread_over_what_each_fold_did_not_see(fits: Fits) -> None:
    features, labels = a_hundred_rows()
    scored = run(features, labels)
    kept = [sorted(set(range(100)) - rows) for rows in fits.rows]
    pairs = [(labels[fold], features["chance"].to_numpy()[fold]) for fold in kept]
    expected = {
        "roc_auc": [roc_auc_score(actual, chance) for actual, chance in pairs],
        "accuracy": [np.mean((chance > 0.5) == actual) for actual, chance in pairs],
        "log_loss": [log_loss(actual, chance) for actual, chance in pairs],
        "brier_score": [brier_score_loss(actual, chance) for actual, chance in pairs],
    }
    for name, values in expected.items():
        score = getattr(scored, name)
        assert score.mean == pytest.approx(np.mean(values))
        assert score.std == pytest.approx(np.std(values, ddof=1))
        assert score.folds == 10
        assert score.std > 0


def test_each_row_keeps_what_the_fit_that_had_not_seen_it_said(fits: Fits) -> None:
    features, labels = a_hundred_rows()
    found = evaluate(features, labels)
    assert found.labels.tolist() == labels.tolist()
    assert found.probabilities.tolist() == features["chance"].tolist()
    for fold, rows in enumerate(fits.rows):
        kept = sorted(set(range(100)) - rows)
        assert np.flatnonzero(found.folds == fold).tolist() == kept


@pytest.mark.usefixtures("fits")
@pytest.mark.parametrize("most", [2_000, 9])
def test_a_feature_is_as_important_as_the_score_falls_without_it(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(evaluation, "_MAX_IMPORTANCE_ROWS", most)
    features, labels = a_hundred_rows()
    importances = evaluate(features.assign(noise=1.0), labels).importances
    assert list(importances.index) == ["chance", "noise"]
    assert importances.shape == (2, FOLDS)
    chance, noise = importances.to_numpy()
    assert chance.mean() > 0.1
    assert noise.tolist() == [0] * FOLDS


@pytest.mark.usefixtures("fits")
@pytest.mark.parametrize("rare", [0, 1])
def test_importance_is_known_where_a_label_is_rare(
    monkeypatch: pytest.MonkeyPatch, rare: int
) -> None:
    monkeypatch.setattr(evaluation, "_MAX_IMPORTANCE_ROWS", 5)
    labels = np.full(1_000, 1 - rare)
    labels[::100] = rare
    features = pd.DataFrame({"chance": np.random.default_rng(0).random(1_000)})
    assert np.isfinite(evaluate(features, labels).importances.to_numpy()).all()


def test_the_share_that_is_done_is_told_before_each_fold(fits: Fits) -> None:
    shares: list[float] = []
    cross_validate(*a_hundred_rows(), shares.append)
    assert shares == pytest.approx([fold / 10 for fold in range(10)])


def test_a_run_that_is_stopped_fits_no_further_fold(fits: Fits) -> None:
    def stop_at_the_fourth(share: float) -> None:
        if share > 0.25:
            raise RunCancelled("job")

    with pytest.raises(RunCancelled):
        cross_validate(*a_hundred_rows(), stop_at_the_fourth)
    assert len(fits.rows) == 3


def test_the_default_model_scores_with_a_spread() -> None:
    scored = cross_validation().evaluation.metrics
    assert 0.5 < scored.roc_auc.mean < 1 and 0 < scored.roc_auc.std < 0.1
    assert 0.3 < scored.log_loss.mean < 0.5
    assert 0.1 < scored.brier_score.mean < 0.15
    assert len(training_table().labels) == sum(len(rows) for _, rows in cross_validation().folds)
