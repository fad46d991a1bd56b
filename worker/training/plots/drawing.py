"""The plots of a candidate, as SVG: its scores on rows that its fits had not seen."""

import logging
from collections.abc import Mapping

from shared.schema.schema import Kind
from shared.versions.manifest import Plot
from worker.training.evaluation import Evaluation
from worker.training.plots import binary, card, multiclass, regression
from worker.training.plots.card import Put
from worker.training.plots.confusion import confusion_matrix
from worker.training.plots.importance import permutation_importance

log = logging.getLogger(__name__)


def draw(evaluation: Evaluation) -> dict[Plot, bytes]:
    """Draw each plot as SVG. The same evaluation gives the same bytes.

    A plot that cannot be drawn is logged and left out: no version is refused for a picture.
    """
    drawn = {}
    for plot, put in PLOTS[evaluation.schema.kind].items():
        try:
            drawn[plot] = card.svg(put, evaluation)
        except Exception:
            log.exception("the plot %s could not be drawn; the version has none", plot)
    return drawn


PLOTS: Mapping[Kind, Mapping[Plot, Put]] = {
    Kind.BINARY: {
        Plot.ROC: binary.roc,
        Plot.PRECISION_RECALL: binary.precision_recall,
        Plot.CALIBRATION: binary.calibration,
        Plot.CONFUSION_MATRIX: confusion_matrix,
        Plot.PERMUTATION_IMPORTANCE: permutation_importance,
    },
    Kind.MULTICLASS: {
        Plot.ROC: multiclass.roc,
        Plot.PRECISION_RECALL: multiclass.precision_recall,
        Plot.CONFUSION_MATRIX: confusion_matrix,
        Plot.PERMUTATION_IMPORTANCE: permutation_importance,
    },
    Kind.REGRESSION: {
        Plot.PREDICTION_ERROR: regression.prediction_error,
        Plot.RESIDUALS: regression.residuals,
        Plot.PERMUTATION_IMPORTANCE: permutation_importance,
    },
}
