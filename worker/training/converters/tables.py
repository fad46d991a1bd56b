"""What flows from step to step: the tensors of a table's columns, and a sample of its rows.

The sample is what scikit-learn itself makes of a few rows: it tells how many columns a step gives
and whether they are float32 or float64, because scikit-learn rounds as the type of its input says.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from worker.training.converters.graph import DOUBLE, FLOAT, STRING, Graph


@dataclass(frozen=True)
class Tensor:
    """A tensor of shape (rows, `width`) of FLOAT, DOUBLE or STRING."""

    name: str
    element: int
    width: int


@dataclass(frozen=True)
class Table:
    """Columns from left to right, and the sample; None if scikit-learn refused the sample."""

    graph: Graph
    tensors: tuple[Tensor, ...]
    sample: Any = None

    @property
    def width(self) -> int:
        """Return the number of columns."""
        return sum(tensor.width for tensor in self.tensors)

    @property
    def is_double(self) -> bool:
        """Return whether scikit-learn computes with float64 from here on."""
        types = getattr(self.sample, "dtypes", None)
        kinds = list(types) if types is not None else [getattr(self.sample, "dtype", None)]
        return any(kind == np.float64 for kind in kinds)

    def select(self, columns: Sequence[int]) -> "Table":
        """Return the columns at these places, in this order."""
        starts = np.cumsum([0, *(tensor.width for tensor in self.tensors)])
        chosen: list[tuple[Tensor, list[int]]] = []
        for column in columns:
            place = int(np.searchsorted(starts, column, side="right")) - 1
            tensor = self.tensors[place]
            if not chosen or chosen[-1][0] is not tensor:
                chosen.append((tensor, []))
            chosen[-1][1].append(int(column - starts[place]))
        tensors = tuple(self._gathered(tensor, inside) for tensor, inside in chosen)
        return Table(self.graph, tensors, _columns(self.sample, columns))

    def _gathered(self, tensor: Tensor, columns: list[int]) -> Tensor:
        if columns == list(range(tensor.width)):
            return tensor
        places = self.graph.constant(np.array(columns, np.int64))
        name = self.graph.put("Gather", tensor.name, places, axis=1)
        return Tensor(name, tensor.element, len(columns))

    def joined(self, element: int = FLOAT) -> str:
        """Return one tensor of all columns, cast to the type."""
        names = [self.cast(tensor, element) for tensor in self.tensors]
        return names[0] if len(names) == 1 else self.graph.put("Concat", *names, axis=1)

    def cast(self, tensor: Tensor, element: int) -> str:
        """Return the tensor in the type."""
        if tensor.element == element:
            return tensor.name
        return self.graph.put("Cast", tensor.name, to=element)

    @property
    def has_strings(self) -> bool:
        """Return whether any column holds strings."""
        return any(tensor.element == STRING for tensor in self.tensors)

    @property
    def element(self) -> int:
        """Return DOUBLE if any column is computed in it, else FLOAT."""
        return DOUBLE if any(tensor.element == DOUBLE for tensor in self.tensors) else FLOAT

    def then(self, sample: Any, *tensors: Tensor) -> "Table":
        """Return the table that a step has made of this one."""
        return Table(self.graph, tensors, sample)

    def without_names(self) -> "Table":
        """Return the same table as a step sees it that was given an array."""
        sample = self.sample
        return replace(self, sample=sample if sample is None else np.asarray(sample))


def sampled(function: Callable[[Any], Any], sample: Any) -> Any:
    """Return what the function makes of the sample; None if it refuses the sample."""
    if sample is None:
        return None
    with _quiet():
        try:
            return function(sample)
        # Whatever an estimator raises: the sample's values are made up.
        except Exception:
            return None


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _columns(sample: Any, columns: Sequence[int]) -> Any:
    if sample is None:
        return None
    return sample.iloc[:, list(columns)] if hasattr(sample, "iloc") else sample[:, list(columns)]


def width_of(sample: Any) -> int | None:
    """Return the number of the sample's columns; None if it is not known."""
    shape: tuple[int, ...] = getattr(sample, "shape", ())
    return int(shape[1]) if len(shape) == 2 else None
