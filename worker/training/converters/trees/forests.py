"""Single trees and forests of scikit-learn."""

from collections.abc import Iterator
from typing import Any

from sklearn.base import is_classifier

from worker.training.converters.graph import FLOAT
from worker.training.converters.tables import Table
from worker.training.converters.trees.operator import Leaf, Split, Tree, ensemble


def forest(model: Any, table: Table) -> str:
    """Return the mean of the trees' answers: the probability of each class, or one number."""
    # scikit-learn rounds to float32 before a tree reads a number.
    rows = table.joined(FLOAT)
    classes = len(model.classes_) if is_classifier(model) else 1
    if classes != 2:
        return ensemble(table.graph, rows, FLOAT, _trees(model, range(classes)), classes)
    second = ensemble(table.graph, rows, FLOAT, _trees(model, range(1, 2)), 1)
    return with_the_other(table, second)


def with_the_other(table: Table, second: str) -> str:
    """Return the probabilities of two classes, made from those of the second."""
    one = table.graph.floats(1.0)
    first = table.graph.put("Sub", one, second)
    return table.graph.put("Concat", first, second, axis=1)


def _trees(model: Any, classes: range) -> Iterator[Tree]:
    """Yield the trees; of a leaf only what it says of these classes."""
    fitted = getattr(model, "estimators_", [model])
    for tree in (each.tree_ for each in fitted):
        columns = (
            *(tree.feature, tree.threshold, tree.children_left, tree.children_right),
            *(tree.missing_go_to_left, tree.value[:, 0]),
        )
        yield [
            Split(feature, threshold, left, right, bool(missing_left))
            if left >= 0
            else Leaf([(i, value[place] / len(fitted)) for i, place in enumerate(classes)])
            for feature, threshold, left, right, missing_left, value in zip(
                *(column.tolist() for column in columns), strict=True
            )
        ]
