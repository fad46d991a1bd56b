"""A CSV as people have it: its encoding, its separator, its header, its rows.

`docs/tables.md` has the rules, which the page keeps as well. What they do not cover is refused:
cells are never shifted, and nothing is guessed.
"""

import codecs
import csv
import io
import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import compress, islice
from typing import Any

import numpy as np
import pandas as pd

from shared.errors import BadTrainingData
from shared.schema.features import Feature
from worker.training.reading import plain_csv
from worker.training.reading.cells import CategoryColumn, DecimalSign, NumberColumn

LINE = "line"
"""The name of a data frame's index that says in which line of the file each row begins."""

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
_ROWS_LOOKED_AT = 20
"""A header further down is not looked for."""
_LINE_END = re.compile("\r\n|\r|\n")
_ROWS_AT_ONCE = 1_000

log = logging.getLogger(__name__)

Rows = Iterator[tuple[Sequence[int], list[list[str]]]]
"""Blocks of rows that are not empty: the line in which each begins, and its cells."""


def read(
    content: bytes,
    shown: str,
    features: Sequence[Feature],
    checkpoint: Callable[[], None] = lambda: None,
) -> pd.DataFrame:
    """Return a column for each feature.

    Numbers are float64 with NaN for missing, or objects if a cell is not a number; categories are
    text, and None for missing. The index has the lines of the file. `checkpoint` is called between
    blocks of rows.

    Raises BadTrainingData.
    """
    encoding = _encoding(content, shown)
    wanted = [feature.name for feature in features]
    separator, skipped = _separator(content, encoding, shown, wanted)
    rows = _rows(content, encoding, separator, shown, skipped)
    first = next(rows, None)
    if first is None:
        raise BadTrainingData(f"{shown} is empty; expected a CSV or Parquet table")
    first_line, names = first[0][0], first[1][0]
    header = [plain(name) for name in names]
    places = {name: place(header, name, f"{shown}, line {first_line}") for name in wanted}
    if missing := [name for name in wanted if places[name] < 0]:
        raise lacking(names, missing, shown)
    if encoding != "utf-16" and not skipped and first_line == 1:
        text = content if encoding != "cp1252" else content.decode(encoding).encode()
        table = plain_csv.read(text, separator, first_line, len(header), features, places)
        if table is not None:
            return table.rename_axis(LINE)
    log.info("a CSV in %s, separated by %ss", encoding, _SEPARATORS[separator])
    sign = DecimalSign()
    columns: dict[str, NumberColumn | CategoryColumn] = {
        feature.name: NumberColumn(feature.name, sign)
        if feature.kind == "number"
        else CategoryColumn(feature)
        for feature in features
    }
    lines = [np.empty(0, np.int64)]
    width = len(header)
    for begun, block in rows:
        checkpoint()
        if {*map(len, block)} != {width}:
            for at, line in enumerate(begun):
                block[at] = _fitted(block[at], width, line, separator, shown)
        lines.append(np.array(begun, np.int64))
        turned = list(zip(*block, strict=True))
        for name, column in columns.items():
            column.add(turned[places[name]], begun)
    sign.check(shown)
    index = pd.Index(np.concatenate(lines), name=LINE)
    found = {name: column.values() for name, column in columns.items()}
    # pandas would copy objects that are text into a type of its own.
    return pd.DataFrame({name: pd.Series(v, index, v.dtype) for name, v in found.items()})


def names(content: bytes, shown: str) -> list[str]:
    """Return the names of all columns. Raises BadTrainingData."""
    encoding = _encoding(content, shown)
    separator, skipped = _separator(content, encoding, shown, ())
    for _, (header, *_) in _rows(content, encoding, separator, shown, skipped):
        return [plain(name) for name in header]
    raise BadTrainingData(f"{shown} is empty; expected a CSV or Parquet table")


def plain(name: str) -> str:
    """Return a column's name without what cannot be seen: blanks around it, how it is encoded."""
    return " ".join(unicodedata.normalize("NFC", name.replace("\ufeff", "")).split())


def place(header: Sequence[str], name: str, where: str) -> int:
    """Return at which place of a plain header a column is; -1 if it is not there."""
    asked = plain(name)
    times = Counter(header)[asked]
    if times > 1:
        raise BadTrainingData(
            f"{where}: expected each column of the record once, found {name} "
            f"{'twice' if times == 2 else f'{times} times'}; rename or remove one"
        )
    return header.index(asked) if times else -1


def lacking(header: Sequence[Any], missing: Sequence[str], shown: str) -> BadTrainingData:
    """Return the error of a table without some of its columns."""
    return BadTrainingData(
        f"{shown} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; "
        f"it has {', '.join(str(name)[:60] for name in header[:20])}"
    )


def _encoding(content: bytes, shown: str) -> str:
    """Return the encoding in which the content is text."""
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise BadTrainingData(f"{shown}: expected text in UTF-8, got UTF-32; save it as UTF-8")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        asked = ["utf-16"]
    elif content.startswith(codecs.BOM_UTF8):
        asked = ["utf-8-sig"]
    else:
        asked = ["utf-8", "cp1252"]
    for encoding in asked:
        try:
            nul = content.decode(encoding).find("\0")
        except UnicodeDecodeError:
            continue
        if nul >= 0:
            raise BadTrainingData(
                f"{shown}: expected text, found a NUL character (number {nul + 1} of the file); "
                "a text in UTF-16 needs its byte order mark, so save it as UTF-8"
            )
        return encoding
    names = {"utf-16": "UTF-16", "utf-8-sig": "UTF-8"}
    claimed = names.get(asked[0])
    raise BadTrainingData(
        f"{shown}: expected {f'{claimed}, as its byte order mark says' if claimed else 'text'}, "
        f"got bytes that are not {claimed or 'UTF-8, nor Windows-1252'}; "
        "expected a CSV or a Parquet table, so save it as CSV in UTF-8"
    )


def _text(content: bytes, encoding: str) -> io.TextIOWrapper:
    # Without newline="" each line end would become LF, in quotation marks, too.
    return io.TextIOWrapper(io.BytesIO(content), encoding, newline="")


def _separator(content: bytes, encoding: str, shown: str, wanted: Sequence[str]) -> tuple[str, int]:
    """Return the separator, and how many lines come before the header that only say so."""
    text = _text(content, encoding)
    line = text.readline().strip().strip('"')
    if line[:4].lower() == "sep=":
        if (said := line[4:] or "\t") not in _SEPARATORS:
            raise BadTrainingData(
                f"{shown}, line 1: expected one of the separators , ; | and tab, got {line[:40]!r}"
            )
        return said, 1
    names = {plain(name) for name in wanted}
    heads = {separator: _head(content, encoding, separator) for separator in _SEPARATORS}
    found = {
        separator: (len(names.intersection(rows[0][1])), len(rows[0][1]))
        for separator, rows in heads.items()
        if rows
    }
    if not found:
        return ",", 0
    # The first of equals is the comma.
    best = max(found, key=lambda separator: found[separator])
    if found[best][0] < len(names):
        for rows in heads.values():
            for at, cells in rows[1:]:
                if names.issubset(cells):
                    raise BadTrainingData(
                        f"{shown}: expected the names of the columns in the first line, found them "
                        f"in line {at}; remove the title and whatever else is before it"
                    )
    return best, 0


def _head(content: bytes, encoding: str, separator: str) -> list[tuple[int, list[str]]]:
    """Return the first rows, the cells as names of columns."""
    reader = csv.reader(_text(content, encoding), delimiter=separator, skipinitialspace=True)
    rows, begun = [], 1
    try:
        for cells in islice(reader, _ROWS_LOOKED_AT):
            if any(names := [plain(cell) for cell in cells]):
                rows.append((begun, names))
            begun = reader.line_num + 1
    except csv.Error:
        pass
    return rows


def _rows(content: bytes, encoding: str, separator: str, shown: str, skipped: int) -> Rows:
    text = _text(content, encoding)
    for _ in range(skipped):
        text.readline()
    # A quotation mark that is never closed, or that has text behind it, is an error of `strict`.
    reader = csv.reader(text, delimiter=separator, skipinitialspace=True, strict=True)
    line, number = 1 + skipped, 1
    while True:
        try:
            block = list(islice(reader, number))
        except csv.Error as error:
            raise BadTrainingData(
                f"{shown}, line {_line_of_error(content, encoding, separator, skipped)}: "
                f"{_explained(error, separator)}"
            ) from error
        if not block:
            return
        begun: Sequence[int] = range(line, line + len(block))
        if 1 + skipped + reader.line_num != line + len(block):
            begun = _begun(block, line)
        line = 1 + skipped + reader.line_num
        # Most rows have something in their first cell, and are told by it alone.
        if not all(cells and cells[0] and not cells[0].isspace() for cells in block):
            there = [any(map(str.strip, cells)) for cells in block]
            block, begun = [*compress(block, there)], [*compress(begun, there)]
        if block:
            # The header comes alone.
            number = _ROWS_AT_ONCE
            yield begun, block


def _begun(block: Sequence[Sequence[str]], line: int) -> list[int]:
    """Return the lines in which rows begin, if some cells have line ends."""
    begun = []
    for cells in block:
        begun.append(line)
        line += 1 + sum(len(_LINE_END.findall(cell)) for cell in cells)
    return begun


def _line_of_error(content: bytes, encoding: str, separator: str, skipped: int) -> int:
    """Return the line in which the first row that cannot be read begins."""
    text = _text(content, encoding)
    for _ in range(skipped):
        text.readline()
    reader = csv.reader(text, delimiter=separator, skipinitialspace=True, strict=True)
    begun = 0
    with suppress(csv.Error):
        for _ in reader:
            begun = reader.line_num
    return 1 + skipped + begun


def _explained(error: csv.Error, separator: str) -> str:
    said = str(error)
    if "unexpected end of data" in said or "field limit" in said:
        return (
            "a quotation mark is never closed, or a cell is longer than "
            f"{csv.field_size_limit():,} characters"
        )
    return (
        f"expected a {_SEPARATORS[separator]} or the end of the row after a closing quotation "
        "mark, found text; write a quotation mark within a cell twice"
    )


def _fitted(cells: list[str], width: int, line: int, separator: str, shown: str) -> list[str]:
    """Return a row's cells, as many as the header has."""
    found = len(cells)
    if found == width:
        return cells
    if found < width:
        return cells + [""] * (width - found)
    if any(map(str.strip, cells[width:])):
        raise BadTrainingData(
            f"{shown}, line {line}: expected {width} cells as in the header, got {found}; put a "
            f"cell that contains a {_SEPARATORS[separator]} in quotation marks"
        )
    return cells[:width]
