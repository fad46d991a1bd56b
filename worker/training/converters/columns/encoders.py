"""Encoders of categories: a number for each category, looked up in a matrix.

The matrix is what scikit-learn's encoder itself makes of each of its categories, so whatever is
dropped, grouped as infrequent or unknown is as in scikit-learn.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from worker.training.converters.graph import DOUBLE, FLOAT, ML, STRING
from worker.training.converters.tables import Table, Tensor

_UNKNOWN = "a category that no record has \x00"


def is_encoder(model: Any) -> bool:
    """Return whether the model is one that this module converts."""
    return type(model) in (OneHotEncoder, OrdinalEncoder)


def is_plain(model: Any, table: Table) -> bool:
    """Return whether one ONNX operator per column does the same, which is quicker."""
    return (
        type(model) is OneHotEncoder
        and all(tensor.element == STRING for tensor in table.tensors)
        and model.drop_idx_ is None
        and model.min_frequency is None
        and model.max_categories is None
        and model.handle_unknown in ("ignore", "error")
    )


def encoded(model: Any, table: Table, sample: Any) -> Table:
    """Return the table with each column's categories encoded."""
    return table.then(sample, *(_column(model, table, column) for column in range(table.width)))


def _column(model: Any, table: Table, column: int) -> Tensor:
    (tensor,) = table.select([column]).tensors
    known = model.categories_[column]
    matrix = _matrix(model, column, known, tensor.element == STRING)
    exact = np.array_equal(matrix, matrix.astype(np.float32), equal_nan=True)
    codes = list(range(len(known)))
    if tensor.element == STRING:
        keys: dict[str, Any] = {"keys_strings": [str(value) for value in known]}
        source = tensor.name
    else:
        keys = {"keys_floats": [float(value) for value in known]}
        source = table.cast(tensor, FLOAT)
    graph = table.graph
    code = graph.put(
        "LabelEncoder", source, domain=ML, values_int64s=codes, default_int64=len(known), **keys
    )
    flat = graph.put("Reshape", code, graph.constant(np.array([-1], np.int64)))
    rows = graph.constant(matrix.astype(np.float32 if exact else np.float64))
    answer = graph.put("Gather", rows, flat, axis=0)
    return Tensor(answer, FLOAT if exact else DOUBLE, matrix.shape[1])


def _matrix(model: Any, column: int, known: NDArray[Any], is_string: bool) -> NDArray[np.float64]:
    """Return a row per category, and a last one for a value that is none of them."""
    width = len(model.categories_)
    rows = [[values[0] for values in model.categories_] for _ in known]
    for row, value in zip(rows, known, strict=True):
        row[column] = value
    answers = _transformed(model, rows)
    places = slice(column, column + 1)
    if type(model) is OneHotEncoder:
        ends = np.cumsum([0, *model._n_features_outs])
        places = slice(int(ends[column]), int(ends[column + 1]))
    matrix = np.zeros((len(known) + 1, answers[:, places].shape[1]))
    matrix[:-1] = answers[:, places]
    if model.handle_unknown != "error":
        unknown: list[Any] = [values[0] for values in model.categories_]
        unknown[column] = _UNKNOWN if is_string else _other(known)
        matrix[-1] = _transformed(model, [unknown])[0, places]
    assert width == len(rows[0])
    return matrix


def _other(known: NDArray[Any]) -> float:
    """Return a number that is not among the categories."""
    finite = known[np.isfinite(known.astype(np.float64))]
    return float(finite.max()) + 1.0 if len(finite) else 0.0


def _transformed(model: Any, rows: list[list[Any]]) -> NDArray[np.float64]:
    columns = [np.array([row[place] for row in rows], object) for place in range(len(rows[0]))]
    table: Any = np.empty((len(rows), len(columns)), object)
    for place, values in enumerate(columns):
        table[:, place] = values
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        import pandas as pd

        table = pd.DataFrame(
            {
                name: values.astype(known.dtype)
                for name, values, known in zip(names, columns, model.categories_, strict=True)
            }
        )
    answer = model.transform(table)
    dense = answer.toarray() if hasattr(answer, "toarray") else np.asarray(answer)
    return dense.astype(np.float64)
