"""The cells of a CSV as values: numbers, categories, and words for missing.

`docs/tables.md` has the rules, which the page keeps as well.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import BadTrainingData
from shared.schema.features import Feature

MISSING = frozenset(
    ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"]
    + ["<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"]
)
"""Cells that stand for a missing value, unless they are a category: pandas's own list."""

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WITH_COMMA = re.compile(r"[+-]?([0-9]+,[0-9]*|,[0-9]+)([eE][+-]?[0-9]+)?")
_LIKE_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")
_ODD = re.compile(r"[^0-9eE.+ -]")
"""What no number has. Without it, Python's `float` takes nothing but numbers as `_NUMBER` says."""


def number(text: str) -> float | None:
    """Return the number that a text is, or None; the decimal sign is a point."""
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else None


@dataclass
class DecimalSign:
    """Which decimal sign the numbers of a file have, as far as it is read."""

    point: str = ""
    """Where the first number with a point is; likewise with a comma, and with one that may also
    separate thousands."""
    comma: str = ""
    unsure: str = ""

    def check(self, shown: str) -> None:
        """Raise BadTrainingData if the file's numbers can be read in two ways."""
        comma = self.comma or self.unsure
        if comma and self.point:
            raise BadTrainingData(
                f"{shown}: expected one decimal sign in all numbers, found a comma in {comma} and "
                f"a point in {self.point}; write numbers alike and without thousands separators"
            )
        if self.unsure and not self.comma:
            raise BadTrainingData(
                f"{shown}: {self.unsure} may be a decimal comma or a thousands separator, and no "
                "other number of the table shows which; write decimals with a point, and no "
                "thousands separators"
            )


@dataclass
class NumberColumn:
    """The numbers of one column; a cell that is not a number stays the text that it is."""

    name: str
    sign: DecimalSign
    _blocks: list[NDArray[Any]] = field(default_factory=list)

    def add(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        """Add the next cells, and the lines in which their rows begin."""
        joined = "".join(cells)
        if not _ODD.search(joined):
            if not self.sign.point and "." in joined:
                row = next(row for row, cell in enumerate(cells) if "." in cell)
                self.sign.point = self._place(cells[row], lines[row])
            try:
                values = [float(cell) if cell else math.nan for cell in cells]
                self._blocks.append(np.array(values, np.float64))
                return
            except ValueError:
                pass
        rows = [self._value(cell.strip(), line) for cell, line in zip(cells, lines, strict=True)]
        texts = any(isinstance(value, str) for value in rows)
        self._blocks.append(np.array(rows, object if texts else np.float64))

    def values(self) -> NDArray[Any]:
        """Return float64 with NaN for missing; objects, if a cell is not a number."""
        return np.concatenate(self._blocks) if self._blocks else np.empty(0, np.float64)

    def _value(self, cell: str, line: int) -> float | str:
        if cell in MISSING:
            return math.nan
        if _NUMBER.fullmatch(cell):
            if "." in cell and not self.sign.point:
                self.sign.point = self._place(cell, line)
            return float(cell)
        if not _WITH_COMMA.fullmatch(cell):
            return cell
        if _LIKE_THOUSANDS.fullmatch(cell):
            self.sign.unsure = self.sign.unsure or self._place(cell, line)
        else:
            self.sign.comma = self.sign.comma or self._place(cell, line)
        return float(cell.replace(",", "."))

    def _place(self, cell: str, line: int) -> str:
        return f"'{cell.strip()[:40]}' (line {line}, column {self.name})"


class CategoryColumn:
    """The categories of one column, as they are written; None for missing."""

    def __init__(self, feature: Feature) -> None:
        self._categories = frozenset(feature.categories)
        # A category is one object, however many rows have it.
        self._known: dict[str, str | None] = {name: name for name in feature.categories}
        self._cells: list[str | None] = []

    def add(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        """Add the next cells."""
        known = self._known
        try:
            self._cells += [known[cell] for cell in cells]
        except KeyError:
            self._cells += [known[c] if c in known else self._value(c) for c in cells]

    def values(self) -> NDArray[Any]:
        """Return the texts, as objects."""
        return np.fromiter(self._cells, object, len(self._cells))

    def _value(self, cell: str) -> str | None:
        text = cell.strip()
        if text in self._categories:
            value: str | None = text
        elif text in MISSING:
            value = None
        else:
            # Refused later; not kept, because there may be as many as rows.
            return cell
        self._known[cell] = value
        return value
