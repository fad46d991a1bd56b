"""One tumour of the breast: a row of the table.

The names of the columns have blanks, so the class is made by a call.
"""

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

TARGET = "malignant"

Size = Annotated[float, Field(ge=0, le=10_000)] | None
Share = Annotated[float, Field(ge=0, le=10)] | None

Tumour = TypedDict(
    "Tumour",
    {
        "mean radius": NotRequired[Size],
        "mean texture": NotRequired[Size],
        "mean perimeter": NotRequired[Size],
        "mean area": NotRequired[Size],
        "mean smoothness": NotRequired[Share],
        "mean compactness": NotRequired[Share],
        "mean concavity": NotRequired[Share],
        "mean concave points": NotRequired[Share],
        "mean symmetry": NotRequired[Share],
        "mean fractal dimension": NotRequired[Share],
        "malignant": bool,
    },
)
Tumour.__doc__ = "The cell nuclei of a tumour. A field that is null or absent is missing."

EXAMPLES = [
    {"mean radius": 17.99, "mean texture": 10.38, "mean concavity": 0.3},
    {"mean radius": 13.54, "mean texture": 14.36},
]
