"""One passenger: the record that predictions are asked for and that training rows hold.

This file and `worker/training/estimator.py` are the two that a model of your own replaces.
"""

from typing import Annotated, Literal, Required

from pydantic import ConfigDict, Field, with_config

# Pydantic reads TypedDict's Required only from here on Python 3.11.
from typing_extensions import TypedDict

LABEL = "Survived"
"""The column of the training table that the model learns: 1 for a survivor, else 0."""

# JSON has one kind of number, and data frames write a whole number as 3.0 if its column has a gap.
# Therefore whole numbers are floats without a fraction, not Python ints.
_WHOLE = {"multiple_of": 1, "json_schema_extra": {"type": "integer"}}

Age = Annotated[float, Field(ge=0, le=120, description="Years, may be fractional.")]
Sex = Annotated[Literal["male", "female"], Field(description="Required.")]
Embarked = Annotated[
    Literal["C", "Q", "S"], Field(description="Port: Cherbourg, Queenstown or Southampton.")
]
Pclass = Annotated[float, Field(ge=1, le=3, description="Ticket class: 1, 2 or 3.", **_WHOLE)]
SibSp = Annotated[float, Field(ge=0, le=100, description="Siblings and spouses aboard.", **_WHOLE)]
Parch = Annotated[float, Field(ge=0, le=100, description="Parents and children aboard.", **_WHOLE)]
Fare = Annotated[float, Field(ge=0, le=1_000_000, description="Pounds.")]


@with_config(ConfigDict(extra="forbid", strict=True, allow_inf_nan=False))
class Passenger(TypedDict, total=False):
    """A passenger. A field that is null or absent is imputed as in training.

    An unknown field is an error, so that a typo such as `age` cannot become a missing value.
    """

    Age: Age | None
    Sex: Required[Sex]
    Embarked: Embarked | None
    Pclass: Pclass | None
    SibSp: SibSp | None
    Parch: Parch | None
    Fare: Fare | None


EXAMPLES: list[dict[str, object]] = [
    {"Age": 22.0, "Sex": "male", "Embarked": "S"},
    {"Age": 38.0, "Sex": "female", "Embarked": "C"},
]
"""Two records for the API's documentation and to warm up a model, as sparse as real ones are."""
