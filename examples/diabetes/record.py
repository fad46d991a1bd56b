"""One patient: a row of the table."""

from typing import Literal

from pydantic import BaseModel, Field

TARGET = "progression"
METRIC = "r2"


class Patient(BaseModel):
    """A patient with diabetes. A field that is null or absent is imputed as in training."""

    age: int | None = Field(None, ge=0, le=120, description="Years.")
    sex: Literal["1", "2"] | None = Field(None, description="As the study codes it.")
    bmi: float | None = Field(None, ge=5, le=100, description="Body mass index.")
    bp: float | None = Field(None, ge=20, le=250, description="Average blood pressure.")
    s1: float | None = Field(None, ge=0, le=1_000, description="Total serum cholesterol.")
    s2: float | None = Field(None, ge=0, le=1_000, description="Low-density lipoproteins.")
    s3: float | None = Field(None, ge=0, le=1_000, description="High-density lipoproteins.")
    s4: float | None = Field(None, ge=0, le=100, description="Total cholesterol by HDL.")
    s5: float | None = Field(None, ge=0, le=100, description="Possibly log of triglycerides.")
    s6: float | None = Field(None, ge=0, le=1_000, description="Blood sugar.")
    progression: float = Field(ge=0, description="One year later; 25 to 346 in the study.")


EXAMPLES = [
    {"age": 59, "bmi": 32.1, "bp": 101.0},
    {"age": 48, "sex": "1", "bmi": 21.6},
]
