"""A small table with whatever makes a conversion wrong: gaps, rare categories, whole numbers."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.schema.features import Feature
from shared.schema.schema import Kind, Label, Schema
from shared.versions.manifest import Parity
from worker.training.export import to_onnx
from worker.training.parity import prove_parity

NUMBERS = ["width", "height", "weight", "count"]
CATEGORIES = ["colour", "size"]

_COLOURS = ("amber", "blue", "cyan", "grün", "violet")
_SIZES = ("large", "medium", "small")
FEATURES = (
    Feature(name="width", kind="number", required=False, minimum=0, maximum=100),
    Feature(name="colour", kind="category", required=False, categories=_COLOURS),
    Feature(name="height", kind="number", required=False),
    Feature(name="size", kind="category", required=True, categories=_SIZES),
    Feature(name="weight", kind="number", required=True, above=0),
    Feature(name="count", kind="number", required=False, whole=True, minimum=0, maximum=9),
)


@dataclass(frozen=True)
class AnyTable:
    """The features, a target, and the schema of both."""

    schema: Schema
    features: pd.DataFrame
    target: NDArray[Any]

    @property
    def spread(self) -> float | None:
        """Return the standard deviation of a regression's target."""
        return float(self.target.std()) if self.schema.kind is Kind.REGRESSION else None


LABELS: dict[str, tuple[Label, ...]] = {
    "binary": (0, 1),
    "strings": ("no", "yes"),
    "booleans": (False, True),
    "multiclass": ("ash", "birch", "cedar"),
    "integers": (1, 2, 3),
}
"""Kind of a target -> its labels; `regression` has none."""
KINDS = [*LABELS, "regression"]


@functools.cache
def table_of(kind: str, rows: int = 240, gaps: bool = True) -> AnyTable:
    """Return the table with a target of this kind; always the same."""
    rng = np.random.default_rng(7)
    width = rng.uniform(0, 100, rows).round(1)
    height = rng.normal(0, 30, rows)
    weight = rng.lognormal(1, 1, rows)
    count = rng.integers(0, 10, rows).astype(float)
    colour = rng.choice([*_COLOURS[:4], ""] if gaps else _COLOURS[:4], rows)
    size = rng.choice(_SIZES, rows, p=[0.6, 0.35, 0.05])
    score = width / 30 + np.sin(height / 15) + np.log(weight) + count * (size == "small")
    score += 1.5 * np.isin(colour, ["amber", "cyan"]) + rng.normal(0, 0.4, rows)
    if gaps:
        for column in (width, height, count):
            column[rng.random(rows) < 0.15] = np.nan
    features = pd.DataFrame(
        {
            "width": width.astype(np.float32),
            "colour": colour.astype(object),
            "height": height.astype(np.float32),
            "size": size.astype(object),
            "weight": weight.astype(np.float32),
            "count": count.astype(np.float32),
        }
    )
    schema = schema_of(kind)
    if kind == "regression":
        return AnyTable(schema, features, np.exp(score / 3) + 10)
    labels = LABELS[kind]
    codes = np.digitize(score, np.quantile(score, np.linspace(0, 1, len(labels) + 1)[1:-1]))
    named = np.array(labels, object if isinstance(labels[0], str) else None)
    return AnyTable(schema, features, named[codes])


def schema_of(kind: str, features: tuple[Feature, ...] = FEATURES) -> Schema:
    """Return a schema with a target of this kind."""
    classes = LABELS.get(kind, ())
    kinds = {0: Kind.REGRESSION, 2: Kind.BINARY, 3: Kind.MULTICLASS}
    return Schema(
        record="Parcel",
        features=features,
        target="answer",
        kind=kinds[len(classes)],
        classes=classes,
        positive=classes[1] if len(classes) == 2 else None,
    )


def only(table: AnyTable, names: list[str]) -> AnyTable:
    """Return the table with these features alone."""
    kept = tuple(f for f in table.schema.features if f.name in names)
    schema = table.schema.model_copy(update={"features": kept})
    return AnyTable(schema, table.features[[f.name for f in kept]], table.target)


def proved(estimator: Any, table: AnyTable) -> Parity:
    """Fit the estimator, export it, and prove that both answer alike."""
    fitted = estimator.fit(table.features, table.target)
    exported = to_onnx(fitted, table.schema)
    return prove_parity(fitted, exported, table.schema, table.features, table.spread)
