from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import (
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from shared.errors import DefinitionBroken, RunCancelled
from shared.schema.schema import Kind, Schema
from shared.versions.manifest import Metrics
from tests.support.fits import cross_validation, evaluated
from tests.support.versions import definition, training_table
from worker.training import evaluation
from worker.training.evaluation import FOLDS, Evaluation, cross_validate


class Guesser:
    """Says of a passenger what the table says in its column `chance`."""

    def fit(self) -> None:
        """As every estimator has it."""

    def predict(self, features: pd.DataFrame) -> NDArray[np.int64]:
        return (features["chance"].to_numpy() > 0.5).astype(np.int64)

    def predict_proba(self, features: pd.DataFrame) -> NDArray[np.float64]:
        chance = features["chance"].to_numpy()
        return np.column_stack([1 - chance, chance])


class Fits:
    """Stands in for a definition's `fit`, and remembers on which rows it was asked to fit."""

    def __init__(self) -> None:
        self.rows: list[set[int]] = []

    def __call__(self, features: pd.DataFrame, labels: NDArray[np.int64]) -> Guesser:
        assert len(features) == len(labels)
        self.rows.append(set(features.index))
        return Guesser()


@pytest.fixture
def fits() -> Fits:
    return Fits()


def a_hundred_rows() -> tuple[pd.DataFrame, NDArray[np.int64]]:
    random = np.random.default_rng(0)
    labels = np.array([0] * 60 + [1] * 40)
    chance = np.clip(0.3 + 0.3 * labels + random.normal(0, 0.2, 100), 0.01, 0.99)
    return pd.DataFrame({"chance": chance}), labels


def run(fits: Fits, features: pd.DataFrame, labels: NDArray[np.int64]) -> Metrics:
    return evaluate(fits, features, labels).metrics


def evaluate(fits: Fits, features: pd.DataFrame, labels: NDArray[np.int64]) -> Evaluation:
    return cross_validate(features, labels, definition().schema, fits, lambda _: None)


def test_each_row_is_kept_from_one_fold_and_each_fold_has_both_labels(fits: Fits) -> None:
    features, labels = a_hundred_rows()
    run(fits, features, labels)
    kept = [set(range(100)) - rows for rows in fits.rows]
    assert len(kept) == FOLDS == 10
    assert sorted(row for fold in kept for row in fold) == list(range(100))
    assert [int(labels[list(fold)].sum()) for fold in kept] == [4] * 10


def test_two_runs_are_scored_on_the_same_folds(fits: Fits) -> None:
    features, labels = a_hundred_rows()
    assert run(fits, features, labels) == run(fits, features, labels)
    assert fits.rows[:10] == fits.rows[10:]


def test_the_scores_are_mean_and_spread_over_what_each_fold_did_not_see(fits: Fits) -> None:
    features, labels = a_hundred_rows()
    scored = run(fits, features, labels)
    kept = [sorted(set(range(100)) - rows) for rows in fits.rows]
    pairs = [(labels[fold], features["chance"].to_numpy()[fold]) for fold in kept]
    expected = {
        "roc_auc": [roc_auc_score(actual, chance) for actual, chance in pairs],
        "accuracy": [np.mean((chance > 0.5) == actual) for actual, chance in pairs],
        "log_loss": [log_loss(actual, chance) for actual, chance in pairs],
        "brier_score": [brier_score_loss(actual, chance) for actual, chance in pairs],
    }
    for name, values in expected.items():
        score = scored[name]
        assert score.mean == pytest.approx(np.mean(values))
        assert score.std == pytest.approx(np.std(values, ddof=1))
        assert score.folds == 10
        assert score.std > 0


def test_each_row_keeps_what_the_fit_that_had_not_seen_it_said(fits: Fits) -> None:
    features, labels = a_hundred_rows()
    found = evaluate(fits, features, labels)
    assert found.actual.tolist() == labels.tolist()
    assert found.probabilities[:, 1].tolist() == features["chance"].tolist()
    assert found.predicted.tolist() == (features["chance"] > 0.5).astype(int).tolist()
    for fold, rows in enumerate(fits.rows):
        kept = sorted(set(range(100)) - rows)
        assert np.flatnonzero(found.folds == fold).tolist() == kept


@pytest.mark.parametrize("most", [2_000, 9])
def test_a_feature_is_as_important_as_the_score_falls_without_it(
    monkeypatch: pytest.MonkeyPatch, fits: Fits, most: int
) -> None:
    monkeypatch.setattr(evaluation, "_MAX_IMPORTANCE_ROWS", most)
    features, labels = a_hundred_rows()
    importances = evaluate(fits, features.assign(noise=1.0), labels).importances
    assert list(importances.index) == ["chance", "noise"]
    assert importances.shape == (2, FOLDS)
    chance, noise = importances.to_numpy()
    assert chance.mean() > 0.1
    assert noise.tolist() == [0] * FOLDS


def test_of_many_features_importance_is_measured_on_some_folds(
    monkeypatch: pytest.MonkeyPatch, fits: Fits
) -> None:
    monkeypatch.setattr(evaluation, "_MAX_SHUFFLES", 6)
    features, labels = a_hundred_rows()
    for names, folds in (("a", 3), ("abcdef", 2)):
        more = features.assign(**dict.fromkeys(names, 1.0))
        found = evaluate(fits, more, labels).importances
        assert found.shape == (len(names) + 1, folds)
        assert found.loc["chance"].mean() > 0.1


@pytest.mark.parametrize("rare", [0, 1])
def test_importance_is_known_where_a_label_is_rare(
    monkeypatch: pytest.MonkeyPatch, fits: Fits, rare: int
) -> None:
    monkeypatch.setattr(evaluation, "_MAX_IMPORTANCE_ROWS", 5)
    labels = np.full(1_000, 1 - rare)
    labels[::100] = rare
    features = pd.DataFrame({"chance": np.random.default_rng(0).random(1_000)})
    assert np.isfinite(evaluate(fits, features, labels).importances.to_numpy()).all()


def test_the_share_that_is_done_is_told_before_each_fold(fits: Fits) -> None:
    shares: list[float] = []
    cross_validate(*a_hundred_rows(), definition().schema, fits, shares.append)
    assert shares == pytest.approx([fold / 10 for fold in range(10)])


def test_a_run_that_is_stopped_fits_no_further_fold(fits: Fits) -> None:
    def stop_at_the_fourth(share: float) -> None:
        if share > 0.25:
            raise RunCancelled("job")

    with pytest.raises(RunCancelled):
        cross_validate(*a_hundred_rows(), definition().schema, fits, stop_at_the_fourth)
    assert len(fits.rows) == 3


def test_the_default_model_scores_as_before_there_were_kinds() -> None:
    scored = cross_validation().evaluation.metrics
    assert list(scored) == ["roc_auc", "accuracy", "log_loss", "brier_score"]
    assert scored["roc_auc"].mean == pytest.approx(0.8665610729140141, abs=1e-12)
    assert scored["accuracy"].mean == pytest.approx(0.8260049937578027, abs=1e-12)


def test_the_default_model_scores_with_a_spread() -> None:
    scored = cross_validation().evaluation.metrics
    assert 0.5 < scored["roc_auc"].mean < 1 and 0 < scored["roc_auc"].std < 0.1
    assert 0.3 < scored["log_loss"].mean < 0.5
    assert 0.1 < scored["brier_score"].mean < 0.15
    assert len(training_table().target) == sum(len(rows) for _, rows in cross_validation().folds)


# --- by kind -------------------------------------------------------------------------------------


def schema_of(kind: Kind, *classes: Any, positive: Any = None) -> Schema:
    found = definition().schema.model_dump() | {"kind": kind, "classes": classes}
    return Schema.model_validate(found | {"positive": positive})


THREE = schema_of(Kind.MULTICLASS, "a", "b", "c")
NUMBER = schema_of(Kind.REGRESSION)


def logistic(features: pd.DataFrame, target: NDArray[Any]) -> Any:
    return LogisticRegression().fit(features, target)


def a_hundred_of(*labels: Any) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Rows whose features say something about the label, and not all."""
    random = np.random.default_rng(0)
    codes = np.arange(100) % len(labels)
    x, y = codes + random.normal(0, 0.7, 100), codes % 2 + random.normal(0, 0.7, 100)
    kind = object if isinstance(labels[0], str) else type(labels[0])
    return pd.DataFrame({"x": x, "y": y}), np.array([labels[code] for code in codes], kind)


def test_three_labels_are_scored_each_against_the_others() -> None:
    features, target = a_hundred_of("a", "b", "c")
    found = cross_validate(features, target, THREE, logistic, lambda _: None)
    folds = [found.folds == fold for fold in range(FOLDS)]
    actual, said, chances = found.actual, found.predicted, found.probabilities
    expected = {
        "roc_auc": [
            roc_auc_score(actual[rows], chances[rows], multi_class="ovr") for rows in folds
        ],
        "accuracy": [np.mean(actual[rows] == said[rows]) for rows in folds],
        "balanced_accuracy": [balanced_accuracy_score(actual[rows], said[rows]) for rows in folds],
        "f1_macro": [f1_score(actual[rows], said[rows], average="macro") for rows in folds],
        "log_loss": [log_loss(actual[rows], chances[rows]) for rows in folds],
    }
    assert list(found.metrics) == list(expected)
    for name, values in expected.items():
        assert found.metrics[name].mean == pytest.approx(np.mean(values))
    assert (found.metric.name, found.labels) == ("balanced_accuracy", ("a", "b", "c"))
    assert found.importances.loc["x"].mean() > 0.1


def test_a_number_is_scored_by_how_far_it_is_off() -> None:
    random = np.random.default_rng(0)
    features = pd.DataFrame({"x": random.normal(size=100), "noise": random.normal(size=100)})
    target = 100 * features["x"].to_numpy() + random.normal(0, 10, 100)

    def fit(features: pd.DataFrame, target: NDArray[Any]) -> Any:
        return LinearRegression().fit(features, target)

    found = cross_validate(features, target, NUMBER, fit, lambda _: None)
    assert list(found.metrics) == ["r2", "rmse", "mae"]
    pairs = [
        (target[found.folds == fold], found.predicted[found.folds == fold]) for fold in range(FOLDS)
    ]
    for name, score in (
        ("r2", r2_score),
        ("rmse", root_mean_squared_error),
        ("mae", mean_absolute_error),
    ):
        expected = np.mean([score(actual, said) for actual, said in pairs])
        assert found.metrics[name].mean == pytest.approx(expected)
    assert found.metrics["rmse"].mean > 0
    assert found.probabilities.shape == (100, 0)
    # The rows of a fold do not lie side by side.
    assert len({*found.folds[:10].tolist()}) > 1


@pytest.mark.parametrize(("positive", "other"), [("yes", "no"), ("no", "yes"), (True, False)])
def test_two_labels_are_scored_for_the_positive_one(positive: Any, other: Any) -> None:
    features, target = a_hundred_of(other, positive)
    schema = schema_of(Kind.BINARY, *sorted([positive, other]), positive=positive)
    found = cross_validate(features, target, schema, logistic, lambda _: None, "f1")
    assert found.labels == (other, positive)
    assert found.actual.tolist() == [int(label == positive) for label in target.tolist()]
    # A row whose x is large is likely to be positive.
    assert np.corrcoef(features["x"], found.probabilities[:, 1])[0, 1] > 0.5
    scores = [
        f1_score(found.actual[rows], found.predicted[rows])
        for rows in (found.folds == fold for fold in range(FOLDS))
    ]
    assert found.metrics["f1"].mean == pytest.approx(np.mean(scores))
    assert found.metric.name == "f1" and found.importances.loc["x"].mean() > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "name", "higher"),
    [
        ("neg_mean_absolute_percentage_error", "mean_absolute_percentage_error", False),
        ("neg_root_mean_squared_error", "rmse", False),
        ("explained_variance", "explained_variance", True),
    ],
)
def test_a_metric_of_ones_own_has_the_name_and_sign_that_people_know(
    chosen: str, name: str, higher: bool
) -> None:
    table, defined = training_table("diabetes"), definition("diabetes")
    found = cross_validate(
        *(table.features, table.target, defined.schema, defined.fit, lambda _: None, chosen)
    )
    assert (found.metric.name, found.metric.higher_is_better) == (name, higher)
    assert found.metrics[name].mean > 0
    # Without the most important feature a score falls and an error rises.
    assert found.importances.mean(axis=1).max() > 0
    assert {"r2", "rmse", "mae"} <= found.metrics.keys()


@pytest.mark.parametrize(
    ("schema", "chosen", "said"),
    [
        (THREE, "f1", "multiclass but average='binary'"),
        (THREE, "r2", "for another kind of target"),
        (THREE, "rand_score", "for another kind of target"),
        (NUMBER, "accuracy", "for another kind of target"),
        (NUMBER, "r3", "the name of a scorer"),
    ],
)
def test_a_metric_that_does_not_suit_the_target_is_refused_before_a_fit(
    schema: Schema, chosen: str, said: str
) -> None:
    def fit(*_: object) -> object:
        raise AssertionError

    with pytest.raises(DefinitionBroken, match="METRIC: expected .*; write") as refused:
        cross_validate(*a_hundred_of("a", "b", "c"), schema, fit, lambda _: None, chosen)
    assert said in str(refused.value)


class Says(DummyClassifier):  # type: ignore[misc]
    """Answers otherwise than it should."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        super().__init__()
        self.answer = answer

    def predict(self, features: Any) -> Any:
        return self.answer(features)


def _refuse(features: Any) -> Any:
    raise ValueError("Input contains NaN")


@pytest.mark.parametrize(
    ("answer", "said"), [(_refuse, "ValueError: Input contains NaN"), (lambda x: ["a"], "each row")]
)
def test_a_model_that_does_not_answer_is_told_with_its_fold(
    answer: Callable[[Any], Any], said: str
) -> None:
    def fit(features: pd.DataFrame, target: NDArray[Any]) -> Any:
        return Says(answer).fit(features, target)

    with pytest.raises(DefinitionBroken, match=f"in fold 1 of 10.*{said}"):
        cross_validate(*a_hundred_of("a", "b", "c"), THREE, fit, lambda _: None)


def test_a_fit_that_fails_on_a_part_of_the_table_is_told_with_its_fold() -> None:
    def fit(*_: object) -> object:
        raise DefinitionBroken("model.py: fit(X, y) raised KeyError: 'x'")

    with pytest.raises(DefinitionBroken, match="KeyError: 'x' .in fold 1 of 10"):
        cross_validate(*a_hundred_of("a", "b", "c"), THREE, fit, lambda _: None)


@pytest.mark.slow
@pytest.mark.parametrize(("example", "least"), [("penguins", 0.95), ("diabetes", 0.4)])
def test_an_example_scores_well(example: str, least: float) -> None:
    found = evaluated(example)
    assert found.metrics[found.metric.name].mean > least
