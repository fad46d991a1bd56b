"""The features of a schema: each says which values are sound.

Every check of a value asks `Feature`: the decoder, the explanation of refused records, the tensors
of the Open Inference Protocol, the training table and the proof of parity.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

_LARGEST = float(np.finfo(np.float32).max)
"""The largest number that the model's input can hold; beyond it, float32 has only infinity."""


class Feature(BaseModel):
    """One field of a record, and one input tensor of the model."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    kind: Literal["number", "category"]
    required: bool
    whole: bool = False
    minimum: float | None = None
    maximum: float | None = None
    # Left out of manifests that need them not, so that older releases read those.
    above: float | None = Field(None, exclude_if=lambda bound: bound is None)
    below: float | None = Field(None, exclude_if=lambda bound: bound is None)
    categories: tuple[str, ...] = ()
    description: str = Field("", exclude_if=lambda text: not text)

    @property
    def expected(self) -> str:
        """Return in words what a value must be."""
        if self.categories:
            return "one of " + ", ".join(repr(category) for category in self.categories)
        kind = "a whole number" if self.whole else "a number"
        limits = (
            ("at least", self.minimum),
            ("more than", self.above),
            ("at most", self.maximum),
            ("less than", self.below),
        )
        bounds = [f"{words} {limit:.10g}" for words, limit in limits if limit is not None]
        return " ".join([kind, " and ".join(bounds)]).strip()

    @property
    def dtype(self) -> type[np.float32] | type[object]:
        """Return the dtype of the feature's column; Python strings are objects."""
        return np.float32 if self.kind == "number" else object

    @property
    def missing(self) -> float | str:
        """Return what a column contains for a missing value."""
        return math.nan if self.kind == "number" else ""

    @property
    def strings(self) -> tuple[str, ...]:
        """Return the strings that a column of categories may contain: "" too, if it is optional."""
        return self.categories if self.required else (*self.categories, "")

    @property
    def value_type(self) -> Any:
        """Return the type of a sound value as msgspec checks it; the same rules as `sound`."""
        if self.kind == "category":
            return Literal[self.categories]
        lowest, highest = self.bounds
        whole = 1 if self.whole else None
        return Annotated[float, msgspec.Meta(ge=lowest, le=highest, multiple_of=whole)]

    def sound(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return for each value whether a record may give it; a missing value is not sound.

        Numbers come as float64, because rounding to float32 could carry them across a bound.
        """
        if self.kind == "category":
            known = {*self.categories}
            found = (isinstance(value, str) and value in known for value in values)
            return np.fromiter(found, np.bool_, len(values))
        lowest, highest = self.bounds
        # NaN and the infinities are out of any bounds.
        sound: NDArray[np.bool_] = (values >= lowest) & (values <= highest)
        if self.whole:
            sound &= np.floor(values) == values
        return sound

    def is_missing(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return for each value of a column whether it stands for a missing one."""
        missing: NDArray[np.bool_] = np.isnan(values) if self.kind == "number" else values == ""
        return missing

    def allowed(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return for each value whether a column may contain it: sound, or missing if optional."""
        sound = self.sound(values)
        return sound if self.required else sound | self.is_missing(values)

    def number_check(self) -> Callable[[float], bool]:
        """Return the function that says whether a column of numbers may contain a number.

        It says what `allowed` says, which takes 30 times as long for one.
        """
        lowest, highest = self.bounds
        whole, required = self.whole, self.required

        def is_allowed(value: float) -> bool:
            if lowest <= value <= highest:
                return not whole or value.is_integer()
            return not required and math.isnan(value)

        return is_allowed

    @property
    def bounds(self) -> tuple[float, float]:
        """Return the smallest and the largest number that is sound."""
        lowest, highest = -_LARGEST, _LARGEST
        if self.minimum is not None:
            lowest = max(lowest, self.minimum)
        if self.above is not None:
            lowest = max(lowest, math.nextafter(self.above, math.inf))
        if self.maximum is not None:
            highest = min(highest, self.maximum)
        if self.below is not None:
            highest = min(highest, math.nextafter(self.below, -math.inf))
        return lowest, highest
