"""CalibratedClassifierCV: probabilities made of scores by a curve that was learned."""

from typing import Any

import numpy as np

from worker.training.converters.ensembles import Convert, mean, normalized
from worker.training.converters.graph import Graph
from worker.training.converters.steps import Step
from worker.training.converters.tables import Table
from worker.training.converters.trees.forests import with_the_other

_SMALLEST = 1e-12
"""What scikit-learn adds to a probability before it takes the logarithm."""


def calibrated(
    model: Any, table: Table, step: Step, scores: Convert, probabilities: Convert
) -> str:
    """Return the mean of the calibrated probabilities of each fold's classifier."""
    if model.method == "isotonic":
        step.refuse(
            model,
            "isotonic calibration answers in steps, and a score that is rounded to float32 can "
            "fall on the other side of one",
            "method='sigmoid'",
        )
    return mean(
        table.graph,
        [
            _one(part, table, step.inside(place), scores, probabilities)
            for place, part in enumerate(model.calibrated_classifiers_)
        ],
    )


def _one(part: Any, table: Table, step: Step, scores: Convert, probabilities: Convert) -> str:
    graph, classes = table.graph, len(part.classes)
    if len(part.estimator.classes_) != classes:
        step.refuse(
            part.estimator, "one of its folds lacks a class", "fewer folds: cv=2, or ensemble=False"
        )
    by_scores = hasattr(part.estimator, "decision_function")
    found = (scores if by_scores else probabilities)(part.estimator, table, step)
    if part.method == "temperature":
        return _by_temperature(graph, found, by_scores and classes == 2, by_scores, part)
    if not by_scores and classes == 2:
        found = graph.put("Gather", found, graph.constant(np.array([1], np.int64)), axis=1)
    slopes = [-calibrator.a_ for calibrator in part.calibrators]
    shifts = [-calibrator.b_ for calibrator in part.calibrators]
    scaled = graph.put("Mul", found, graph.floats(*slopes))
    answers = graph.put("Sigmoid", graph.put("Add", scaled, graph.floats(*shifts)))
    if classes == 2:
        return with_the_other(table, answers)
    return normalized(graph, answers, otherwise=1 / classes)


def _by_temperature(graph: Graph, found: str, is_single: bool, by_scores: bool, part: Any) -> str:
    if is_single:
        found = graph.put("Concat", graph.put("Neg", found), found, axis=1)
    elif not by_scores:
        found = graph.put("Log", graph.put("Add", found, graph.floats(_SMALLEST)))
    beta = float(part.calibrators[0].beta_)
    return graph.put("Softmax", graph.put("Mul", found, graph.floats(beta)), axis=1)
