"""Histogram gradient boosting, with its missing values and categorical splits."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.training.converters.graph import FLOAT, ML, STRING
from worker.training.converters.tables import Table, Tensor
from worker.training.converters.trees.operator import Leaf, Split, Tree, ensemble

_EXPONENTIAL = ("HalfPoissonLoss", "HalfGammaLoss")
"""The losses of a regression whose answer is the exponential of the trees' sum."""


def raw_scores(model: Any, table: Table) -> str:
    """Return the trees' sums: one column, or one per class if there are more than two."""
    categories = _categories(model)
    coded, values = _coded(table, categories)
    start = np.ravel(model._baseline_prediction)
    sums = ensemble(
        table.graph,
        coded.joined(coded.element),
        coded.element,
        _trees(model, values),
        len(start),
    )
    return table.graph.put("Add", sums, table.graph.floats(*start))


def number(model: Any, table: Table) -> str:
    """Return a regression's answers."""
    scores = raw_scores(model, table)
    if type(model._loss).__name__ in _EXPONENTIAL:
        return table.graph.put("Exp", scores)
    return scores


def _categories(model: Any) -> dict[int, NDArray[Any]]:
    """Return the categories of each column that has some; a missing value is none of them."""
    if model.is_categorical_ is None:
        return {}
    found = model._preprocessor.named_transformers_["encoder"].categories_
    columns = np.flatnonzero(model.is_categorical_)
    return {
        int(column): values[[value == value for value in values]]
        for column, values in zip(columns, found, strict=True)
    }


def _coded(
    table: Table, categories: dict[int, NDArray[Any]]
) -> tuple[Table, dict[int, list[float]]]:
    """Return the table with a code in place of each string, and each category as it then is."""
    if not table.has_strings:
        return table, {column: values.tolist() for column, values in categories.items()}
    tensors: list[Tensor] = []
    values: dict[int, list[float]] = {}
    for column in range(table.width):
        (tensor,) = table.select([column]).tensors
        known = categories.get(column)
        if known is not None:
            values[column] = known.tolist()
            if tensor.element == STRING:
                values[column] = [float(code) for code in range(len(known))]
                tensor = _codes(table, tensor, known, values[column])
        tensors.append(tensor)
    return table.then(None, *tensors), values


def _codes(table: Table, tensor: Tensor, known: NDArray[Any], codes: list[float]) -> Tensor:
    name = table.graph.put(
        "LabelEncoder",
        tensor.name,
        domain=ML,
        keys_strings=[str(value) for value in known],
        values_floats=codes,
        default_float=-1.0,
    )
    return Tensor(name, FLOAT, 1)


def _trees(model: Any, values: dict[int, list[float]]) -> Iterator[Tree]:
    columns = range(model.n_features_in_)
    if model.is_categorical_ is not None:
        # The model moves the columns of categories to the front.
        columns = np.argsort(~model.is_categorical_, kind="stable").tolist()
    for iteration in model._predictors:
        for target, predictor in enumerate(iteration):
            yield _tree(predictor, target, columns, values)


def _tree(
    predictor: Any, target: int, columns: Any, values: dict[int, list[float]]
) -> list[Leaf | Split]:
    names = ("is_leaf", "value", "feature_idx", "num_threshold", "left", "right")
    more = ("missing_go_to_left", "is_categorical", "bitset_idx")
    nodes: list[Leaf | Split] = []
    for leaf, value, place, threshold, left, right, missing, categorical, bitset in zip(
        *(predictor.nodes[name].tolist() for name in (*names, *more)), strict=True
    ):
        if leaf:
            nodes.append(Leaf([(target, value)]))
        elif not categorical:
            nodes.append(Split(columns[place], threshold, left, right, bool(missing)))
        else:
            bits = predictor.raw_left_cat_bitsets[bitset]
            nodes.append(_by_category(columns[place], left, right, bool(missing), bits, values))
    return nodes


def _by_category(
    column: int,
    left: int,
    right: int,
    missing_left: bool,
    bits: NDArray[np.uint32],
    values: dict[int, list[float]],
) -> Split:
    """Return the split. What is missing or unknown is no member, so the members are those
    categories that go the other way than a missing value.
    """
    members = [
        value
        for code, value in enumerate(values[column])
        if bool(int(bits[code // 32]) >> (code % 32) & 1) != missing_left
    ]
    yes, no = (right, left) if missing_left else (left, right)
    return Split(column, 0.0, yes, no, False, members)
