"""One passenger of the Titanic: a row of the table."""

from typing import Annotated, Literal, Required

from pydantic import Field

# Pydantic reads TypedDict's Required only from here on Python 3.11.
from typing_extensions import TypedDict

TARGET = "Survived"

Age = Annotated[float, Field(ge=0, le=120, description="Years, may be fractional.")]
Sex = Annotated[Literal["male", "female"], Field(description="Required.")]
Embarked = Annotated[
    Literal["C", "Q", "S"], Field(description="Port: Cherbourg, Queenstown or Southampton.")
]
Pclass = Annotated[int, Field(ge=1, le=3, description="Ticket class: 1, 2 or 3.")]
SibSp = Annotated[int, Field(ge=0, le=100, description="Siblings and spouses aboard.")]
Parch = Annotated[int, Field(ge=0, le=100, description="Parents and children aboard.")]
Fare = Annotated[float, Field(ge=0, le=1_000_000, description="Pounds.")]


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
    Survived: Required[Literal[0, 1]]


EXAMPLES = [
    {"Age": 22.0, "Sex": "male", "Embarked": "S"},
    {"Age": 38.0, "Sex": "female", "Embarked": "C"},
]
