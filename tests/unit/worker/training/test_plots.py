import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from sklearn.metrics import average_precision_score, roc_auc_score

from shared.schema.schema import Kind
from shared.versions.manifest import Plot
from tests.support.fits import cross_validation, evaluated
from tests.support.versions import definition, metrics
from worker.training.evaluation import FOLDS, Evaluation
from worker.training.plots import binary, drawing
from worker.training.plots.card import thinned
from worker.training.scoring import Metric

_SVG = "{http://www.w3.org/2000/svg}"
_MOST_BYTES = 100_000


BINARY_PLOTS = [*drawing.PLOTS[Kind.BINARY]]


def evaluation(rows: int) -> Evaluation:
    """Of a model that is as good as the default one, with no two rows of the same probability."""
    random = np.random.default_rng(0)
    labels = (random.random(rows) < 0.4).astype(np.int64)
    chances = 1 / (1 + np.exp(-random.normal(2 * labels - 1, 1.2)))
    return Evaluation(
        schema=definition().schema,
        metrics=metrics(),
        metric=Metric("roc_auc", "roc_auc"),
        actual=labels,
        predicted=(chances > 0.5).astype(np.int64),
        probabilities=np.column_stack([1 - chances, chances]),
        folds=(np.arange(rows) % FOLDS).astype(np.int8),
        importances=importances({"Age": 0.1, "Sex": 0.2}),
    )


def of_labels(count: int, rows: int) -> Evaluation:
    """Of so many labels, the first of which are the commonest; most rows are answered rightly."""
    random = np.random.default_rng(0)
    actual = np.sort(random.geometric(3 / (count + 3), rows).clip(max=count) - 1)
    chances = random.random((rows, count)) / 2
    chances[np.arange(rows), actual] += random.random(rows)
    chances /= chances.sum(axis=1, keepdims=True)
    labels = tuple(f"label {place:03}" for place in range(count))
    schema = definition("penguins").schema.model_copy(update={"classes": labels})
    return replace(
        evaluation(rows),
        schema=schema,
        metric=Metric("balanced_accuracy", "balanced_accuracy"),
        actual=actual,
        predicted=chances.argmax(axis=1),
        probabilities=chances,
    )


def of_numbers(rows: int) -> Evaluation:
    random = np.random.default_rng(0)
    actual = random.normal(200_000, 50_000, rows)
    return replace(
        evaluation(rows),
        schema=definition("diabetes").schema,
        metric=Metric("rmse", "neg_root_mean_squared_error"),
        actual=actual,
        predicted=actual + random.normal(0, 20_000, rows),
        probabilities=np.empty((rows, 0)),
    )


def importances(of: dict[str, float]) -> pd.DataFrame:
    return pd.DataFrame({fold: of for fold in range(FOLDS)})


def texts(picture: bytes) -> list[str]:
    return ["".join(text.itertext()) for text in ET.fromstring(picture).iter(f"{_SVG}text")]


@pytest.fixture(scope="module")
def default() -> dict[Plot, bytes]:
    return drawing.draw(cross_validation().evaluation)


@pytest.mark.parametrize(
    ("plot", "labels"),
    [
        (Plot.ROC, ["False positive rate", "True positive rate"]),
        (Plot.PRECISION_RECALL, ["Recall", "Precision"]),
        (Plot.CALIBRATION, ["Mean predicted probability", "Share with label 1"]),
        (Plot.CONFUSION_MATRIX, ["Predicted label", "True label"]),
        (Plot.PERMUTATION_IMPORTANCE, ["Fall of the ROC AUC", "Sex", "Embarked"]),
    ],
)
def test_each_plot_says_in_text_what_its_axes_are(
    default: dict[Plot, bytes], plot: Plot, labels: list[str]
) -> None:
    found = texts(default[plot])
    assert all(any(text.startswith(label) for text in found) for label in labels), found


def test_the_figures_in_the_plots_are_those_of_rows_that_were_not_seen(
    default: dict[Plot, bytes],
) -> None:
    found = cross_validation().evaluation
    area = roc_auc_score(found.actual, found.probabilities[:, 1])
    assert f"all folds together: AUC {area:.3f}" in texts(default[Plot.ROC])
    area = average_precision_score(found.actual, found.probabilities[:, 1])
    assert f"average precision {area:.3f}" in texts(default[Plot.PRECISION_RECALL])
    counts = {
        str(int(((found.actual == a) & (found.predicted == b)).sum()))
        for a in (0, 1)
        for b in (0, 1)
    }
    assert counts <= {
        text for lines in texts(default[Plot.CONFUSION_MATRIX]) for text in lines.split()
    }


@pytest.mark.parametrize("plot", BINARY_PLOTS)
def test_a_plot_is_one_document_that_loads_and_runs_nothing(
    default: dict[Plot, bytes], plot: Plot
) -> None:
    root = ET.fromstring(default[plot])
    assert root.tag == f"{_SVG}svg"
    elements = list(root.iter())
    assert not {e.tag for e in elements} & {f"{_SVG}{name}" for name in ("script", "image", "a")}
    for element in elements:
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            if name.endswith("href"):
                assert value.startswith("#")


def test_the_same_evaluation_gives_the_same_bytes(default: dict[Plot, bytes]) -> None:
    assert list(default) == BINARY_PLOTS
    assert drawing.draw(cross_validation().evaluation) == default


@pytest.mark.slow
@pytest.mark.parametrize(
    "found",
    [evaluation(200_000), of_labels(3, 200_000), of_labels(200, 50_000), of_numbers(50_000)],
)
def test_many_rows_or_labels_make_no_large_plots(found: Evaluation) -> None:
    drawn = drawing.draw(found)
    assert list(drawn) == [*drawing.PLOTS[found.schema.kind]]
    assert {
        plot: len(picture) for plot, picture in drawn.items() if len(picture) > _MOST_BYTES
    } == {}


@pytest.mark.parametrize("points", [2, 3, 99, 100, 101, 10_000])
def test_a_curve_with_fewer_points_keeps_its_ends_and_its_order(points: int) -> None:
    along = np.sort(np.random.default_rng(0).random(points))
    kept = thinned(along, 100)
    assert (kept[0], kept[-1]) == (0, points - 1)
    assert len(kept) <= 100 and (np.diff(kept) > 0).all()
    assert np.diff(along[kept]).max() <= np.diff(along).max() + 1 / 99


def test_a_plot_that_cannot_be_drawn_is_told_and_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(binary, "roc_auc_score", fail)
    assert list(drawing.draw(evaluation(rows=1_000))) == BINARY_PLOTS[1:]
    (told,) = caplog.records
    assert "roc" in told.getMessage()


def test_of_many_features_the_most_important_are_shown_by_names_that_are_only_text() -> None:
    names = {"US$ per $": 0.9, "<b>&amp;": 0.8, "x" * 100: 0.7}
    others = {f"feature {i}": i / 1_000 for i in range(100)}
    found = replace(evaluation(rows=1_000), importances=importances(names | others))
    shown = texts(drawing.draw(found)[Plot.PERMUTATION_IMPORTANCE])
    assert {"US$ per $", "<b>&amp;", "x" * 23 + "…", "feature 99"} <= {*shown}
    assert sum(text.startswith("feature") for text in shown) == 17


def test_a_model_that_says_the_same_of_everybody_has_plots_too() -> None:
    found = evaluation(rows=1_000)
    assert (
        list(drawing.draw(replace(found, probabilities=np.full((1_000, 2), 0.5)))) == BINARY_PLOTS
    )


def test_no_figure_stays_in_memory(default: dict[Plot, bytes]) -> None:
    assert default and pyplot.get_fignums() == []


# --- by kind -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_three_labels_have_a_curve_each_and_a_matrix_by_their_names() -> None:
    drawn = drawing.draw(evaluated("penguins"))
    for plot in (Plot.ROC, Plot.PRECISION_RECALL):
        shown = texts(drawn[plot])
        for species in ("Adelie", "Chinstrap", "Gentoo"):
            assert any(text.startswith(f"{species}: ") for text in shown)
    shown = texts(drawn[Plot.CONFUSION_MATRIX])
    assert {"Adelie", "Chinstrap", "Gentoo", "Predicted label", "True label"} <= {*shown}
    assert any("balanced accuracy" in text for text in texts(drawn[Plot.PERMUTATION_IMPORTANCE]))


def test_of_many_labels_the_commonest_are_drawn_and_the_others_are_counted() -> None:
    found = of_labels(40, 5_000)
    drawn = drawing.draw(found)
    shown = texts(drawn[Plot.ROC])
    assert sum(": AUC " in text for text in shown) == 8
    assert "32 rarer labels are not drawn" in shown
    shown = texts(drawn[Plot.CONFUSION_MATRIX])
    assert "other" in shown and "label 000" in shown
    counts = [int(text.replace(",", "")) for text in shown if text.replace(",", "").isdigit()]
    assert sum(counts) == 5_000


@pytest.mark.slow
def test_a_number_has_its_errors_drawn() -> None:
    drawn = drawing.draw(evaluated("diabetes"))
    assert list(drawn) == [Plot.PREDICTION_ERROR, Plot.RESIDUALS, Plot.PERMUTATION_IMPORTANCE]
    assert {"Predicted", "Actual progression", "400 of 442 rows"} <= {
        *texts(drawn[Plot.PREDICTION_ERROR])
    }
    assert any(text.startswith("RMSE 54.") for text in texts(drawn[Plot.RESIDUALS]))
    assert any("Fall of the R²" in text for text in texts(drawn[Plot.PERMUTATION_IMPORTANCE]))
    shown = texts(drawing.draw(of_numbers(50))[Plot.PERMUTATION_IMPORTANCE])
    assert any("Rise of the RMSE" in text for text in shown)


def test_a_model_that_says_the_same_number_of_everybody_has_plots_too() -> None:
    found = replace(of_numbers(50), predicted=np.full(50, 3.0))
    assert list(drawing.draw(found)) == [*drawing.PLOTS[Kind.REGRESSION]]
