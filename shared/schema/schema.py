"""The schema of a model version: all that a process needs to know to serve it, as data.

The worker reads it off a definition and writes it into the manifest; the API builds decoder,
explanations, tensors and OpenAPI from the version that it loads.
"""

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from shared.schema.features import Feature

FORMAT = 1
"""The newest format of a schema that this release reads."""

UNKNOWN_TARGET = "label"
"""What stands for the target of versions that were published before there were schemas."""


class Kind(StrEnum):
    """What is learned."""

    # One of two labels.
    BINARY = "binary"
    # One of three labels or more.
    MULTICLASS = "multiclass"
    # A number.
    REGRESSION = "regression"


def example_of(features: Iterable[Feature]) -> dict[str, Any]:
    """Return the shortest sound record: a value for each field that is required."""
    return {
        feature.name: feature.categories[0] if feature.categories else _number_of(feature)
        for feature in features
        if feature.required
    }


def _number_of(feature: Feature) -> float:
    lowest, highest = feature.bounds
    number = min(max(0.0, lowest), highest)
    return float(math.ceil(number)) if feature.whole else number


Label = StrictBool | StrictInt | StrictStr
Examples = tuple[dict[str, Any], ...]


class Schema(BaseModel):
    """The fields of a record, and what is predicted of it. Fields of later releases are ignored.

    Raises pydantic.ValidationError for a format that a later release writes.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    format: Annotated[int, Field(ge=1)] = FORMAT
    record: str
    """The name of the record's class, such as `Passenger`."""
    description: str = ""
    """What the class says of a record."""
    features: tuple[Feature, ...]
    """The fields of a record, in the order of the class."""
    target: str
    """The name of what is predicted."""
    kind: Kind
    classes: tuple[Label, ...] = ()
    """The labels in ascending order, which is the order of `probabilities`; none for a regression.
    """
    positive: Label | None = None
    """Of two labels, the one whose probability is answered."""
    examples: Examples = Field((), validate_default=True)
    """Records as clients send them, for the documentation and to warm up a model."""

    @field_validator("examples", mode="after")
    @classmethod
    def _make_an_example(cls, examples: Examples, known: ValidationInfo) -> Examples:
        return examples or (example_of(known.data.get("features", ())),)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.format > FORMAT:
            raise ValueError(
                f"its schema has the format {self.format}, which a later release wrote; this one "
                f"reads up to {FORMAT}. Run the later release, or choose another version"
            )
        count = len(self.classes)
        if not {Kind.BINARY: count == 2, Kind.MULTICLASS: count > 2}.get(self.kind, not count):
            raise ValueError(f"expected other classes of a {self.kind} model than {self.classes}")
        if self.kind is Kind.BINARY and self.positive not in self.classes:
            raise ValueError(f"expected one of {self.classes} as positive, got {self.positive!r}")
        return self

    @property
    def record_name(self) -> str:
        """Return what an error message calls a record."""
        return self.record.lower()

    @property
    def positive_index(self) -> int:
        """Return where the label whose probability is answered stands among two classes."""
        # `True == 1`, so by type, too; but labels of one schema have one type.
        assert self.positive is not None
        return self.classes.index(self.positive)

    @property
    def is_plain_binary(self) -> bool:
        """Return whether the labels are 0 and 1, which answers do not list."""
        return self.classes == (0, 1) and not isinstance(self.classes[0], bool)
