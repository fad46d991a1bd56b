import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from sklearn.metrics import average_precision_score, roc_auc_score

from shared.versions.manifest import Plot
from tests.support.fits import cross_validation
from tests.support.versions import metrics
from worker.training import plots
from worker.training.evaluation import FOLDS, Evaluation

_SVG = "{http://www.w3.org/2000/svg}"
_MOST_BYTES = 100_000


def evaluation(rows: int) -> Evaluation:
    """Of a model that is as good as the default one, with no two rows of the same probability."""
    random = np.random.default_rng(0)
    labels = (random.random(rows) < 0.4).astype(np.int64)
    probabilities = 1 / (1 + np.exp(-random.normal(2 * labels - 1, 1.2)))
    return Evaluation(
        metrics=metrics(),
        labels=labels,
        probabilities=probabilities,
        folds=(np.arange(rows) % FOLDS).astype(np.int8),
        importances=importances({"Age": 0.1, "Sex": 0.2}),
    )


def importances(of: dict[str, float]) -> pd.DataFrame:
    return pd.DataFrame({fold: of for fold in range(FOLDS)})


def texts(picture: bytes) -> list[str]:
    return ["".join(text.itertext()) for text in ET.fromstring(picture).iter(f"{_SVG}text")]


@pytest.fixture(scope="module")
def default() -> dict[Plot, bytes]:
    return plots.draw(cross_validation().evaluation)


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
    area = roc_auc_score(found.labels, found.probabilities)
    assert f"all folds together: AUC {area:.3f}" in texts(default[Plot.ROC])
    area = average_precision_score(found.labels, found.probabilities)
    assert f"average precision {area:.3f}" in texts(default[Plot.PRECISION_RECALL])
    predicted = found.probabilities > 0.5
    counts = {
        str(int(((found.labels == a) & (predicted == b)).sum())) for a in (0, 1) for b in (0, 1)
    }
    assert counts <= {
        text for lines in texts(default[Plot.CONFUSION_MATRIX]) for text in lines.split()
    }


@pytest.mark.parametrize("plot", Plot)
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
    assert list(default) == list(Plot)
    assert plots.draw(cross_validation().evaluation) == default


def test_many_rows_make_no_large_plots() -> None:
    drawn = plots.draw(evaluation(rows=200_000))
    assert list(drawn) == list(Plot)
    assert {
        plot: len(picture) for plot, picture in drawn.items() if len(picture) > _MOST_BYTES
    } == {}


@pytest.mark.parametrize("points", [2, 3, 99, 100, 101, 10_000])
def test_a_curve_with_fewer_points_keeps_its_ends_and_its_order(points: int) -> None:
    along = np.sort(np.random.default_rng(0).random(points))
    kept = plots._thinned(along, 100)
    assert (kept[0], kept[-1]) == (0, points - 1)
    assert len(kept) <= 100 and (np.diff(kept) > 0).all()
    assert np.diff(along[kept]).max() <= np.diff(along).max() + 1 / 99


def test_a_plot_that_cannot_be_drawn_is_told_and_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(plots, "roc_curve", fail)
    assert list(plots.draw(evaluation(rows=1_000))) == [plot for plot in Plot if plot != "roc"]
    (told,) = caplog.records
    assert "roc" in told.getMessage()


def test_of_many_features_the_most_important_are_shown_by_names_that_are_only_text() -> None:
    names = {"US$ per $": 0.9, "<b>&amp;": 0.8, "x" * 100: 0.7}
    others = {f"feature {i}": i / 1_000 for i in range(100)}
    found = replace(evaluation(rows=1_000), importances=importances(names | others))
    shown = texts(plots.draw(found)[Plot.PERMUTATION_IMPORTANCE])
    assert {"US$ per $", "<b>&amp;", "x" * 23 + "…", "feature 99"} <= {*shown}
    assert sum(text.startswith("feature") for text in shown) == 17


def test_a_model_that_says_the_same_of_everybody_has_plots_too() -> None:
    found = evaluation(rows=1_000)
    assert list(plots.draw(replace(found, probabilities=np.full(1_000, 0.3)))) == list(Plot)


def test_no_figure_stays_in_memory(default: dict[Plot, bytes]) -> None:
    assert default and pyplot.get_fignums() == []
