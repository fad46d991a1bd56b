"""One penguin: a row of the table."""

from typing import Literal

from pydantic import BaseModel, Field

TARGET = "species"


class Penguin(BaseModel):
    """A penguin. A field that is null or absent is treated as in training."""

    island: Literal["Biscoe", "Dream", "Torgersen"] | None = None
    bill_length_mm: float | None = Field(None, ge=0, le=1_000)
    bill_depth_mm: float | None = Field(None, ge=0, le=1_000)
    flipper_length_mm: float | None = Field(None, ge=0, le=1_000)
    body_mass_g: float | None = Field(None, ge=0, le=50_000, description="Grams.")
    species: Literal["Adelie", "Chinstrap", "Gentoo"]


EXAMPLES = [
    {"island": "Torgersen", "bill_length_mm": 39.1, "bill_depth_mm": 18.7},
    {"bill_length_mm": 46.1, "bill_depth_mm": 13.2, "body_mass_g": 4500},
]
