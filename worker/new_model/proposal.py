"""A definition to begin with, as code: proposed from the columns of a table."""

import keyword
import math
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from shared.errors import BadTrainingData
from worker.new_model.choice import LARGEST, label_type, literal, quoted, target_of, why_left_out
from worker.new_model.columns import Column, Holds

_READ_IT = """A row of the table.

Proposed from the columns of a table. Read each line: correct the bounds, which every request must
keep, and say by `| None` which fields a client may leave out.
"""

_WIDTH = 100


@dataclass(frozen=True)
class Proposal:
    """The two files of a folder."""

    record: str
    model: str
    target: str
    left_out: dict[str, str]
    """Columns that are not features -> why."""


def propose(columns: Sequence[Column], class_name: str, target: str | None = None) -> Proposal:
    """Return a definition that learns a column from the others. Raises BadTrainingData."""
    learned = target_of(columns, target)
    declared: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for column in columns:
        if column is learned:
            continue
        if why := why_left_out(column, [*declared, learned.name]):
            left_out[column.name] = why
        else:
            declared[column.name] = _type(column)
    if not declared:
        why = "; ".join(f"{name}: {why}" for name, why in [*left_out.items()][:5])
        raise BadTrainingData(
            f"expected a column that {learned.name} can be learned from, found none ({why}); bring "
            "a table with numbers or categories"
        )
    features = [column for column in columns if column.name in declared]
    type_of_target = label_type(learned)
    assert type_of_target is not None
    record = _record(class_name, features, declared, left_out, learned, type_of_target)
    return Proposal(record, _model(features, type_of_target), learned.name, left_out)


def _type(column: Column) -> str:
    """Return the type of a feature, as code, without whether it is optional."""
    if column.holds is Holds.TEXTS:
        return literal(column.distinct)
    lowest, highest = column.distinct[0], column.distinct[-1]
    if (lowest, highest) == (0, 1) and column.is_whole:
        # Yes or no: nothing lies beyond.
        return "Annotated[int, Field(ge=0, le=1)]"
    bounds = f"ge={_round(lowest, down=True)}, le={_round(highest, down=False)}"
    return f"Annotated[{'int' if column.is_whole else 'float'}, Field({bounds})]"


def _round(bound: float, *, down: bool) -> str:
    """Return a round number at some distance below or above, because new records go further."""
    if bound == 0 or (down and bound > 0) or (not down and bound < 0):
        return "0"
    size = abs(bound) * 2
    scale: float = 10.0 ** math.floor(math.log10(size))
    step = next(step for step in (1, 2, 5, 10) if step * scale >= size)
    number = math.copysign(min(step * scale, LARGEST), bound)
    return repr(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _value(column: Column, row: int) -> str:
    value = column.values[row]
    return quoted(int(value) if column.is_whole else value)


def _said(column: Column) -> str:
    """Return a comment on a field: what the table has."""
    gaps = column.rows - len(column.values)
    found = f"{gaps:,} of {column.rows:,} missing" if gaps else "Never missing"
    if column.holds is Holds.NUMBERS:
        lowest, highest = column.distinct[0], column.distinct[-1]
        found = f"{lowest:g} to {highest:g} in the table; {found.lower()}"
    return found


def _record(
    class_name: str,
    features: Sequence[Column],
    declared: dict[str, str],
    left_out: dict[str, str],
    target: Column,
    type_of_target: str,
) -> str:
    names = [*declared, target.name]
    is_model = all(_is_plain(name) for name in names)
    indent = " " * (4 if is_model else 8)

    def entry(column: Column, code: str) -> str:
        name = column.name
        line = f"{name}: {code}" if is_model else f"{quoted(name)}: {code},"
        listed = literal(column.distinct)
        if listed not in code:
            return indent + line
        opening, _, closing = line.rpartition(listed)
        return _laid_out(indent, f"{opening}Literal[", map(quoted, column.distinct), f"]{closing}")

    lines, imports = [], {"Field"} if any("Field(" in code for code in declared.values()) else set()
    for column in features:
        code = declared[column.name]
        if column.has_gaps:
            code = f"{code} | None" + (" = None" if is_model else "")
            code = code if is_model else f"NotRequired[{code}]"
        lines += [f"{indent}# {_said(column)}.", entry(column, code)]
    for name, why in left_out.items():
        said = f"{repr(name)[:80]} is left out: {why}."
        lines.append(textwrap.indent(textwrap.fill(said, _WIDTH - len(indent) - 2), f"{indent}# "))
    lines.append(entry(target, type_of_target))
    body = "\n".join(lines)
    typing = sorted(
        word for word in ("Annotated", "Literal", "NotRequired") if re.search(rf"\b{word}\[", body)
    )
    pydantic = sorted({"BaseModel"} & ({"BaseModel"} if is_model else set()) | imports)
    head = [f"from typing import {', '.join(typing)}\n"] if typing else []
    third = [f"from pydantic import {', '.join(pydantic)}"] if pydantic else []
    third += [] if is_model else ["from typing_extensions import TypedDict"]
    made = (
        f"class {class_name}(BaseModel):\n{body}\n"
        if is_model
        else f"{class_name} = TypedDict(\n    {quoted(class_name)},\n    {{\n{body}\n    }},\n)\n"
    )
    examples = "\n".join(_example(features, row) for row in (0, 1))
    return (
        f'"""{_READ_IT}"""\n\n' + "\n".join([*head, *third]) + "\n\n"
        f"# What is learned.\nTARGET = {quoted(target.name)}\n\n\n{made}\n\n"
        f"# Two requests as clients send them.\nEXAMPLES = [\n{examples}\n]\n"
    )


def _laid_out(indent: str, opening: str, items: Iterable[str], closing: str) -> str:
    """Return code on one line, or with a line for each item if that is too long."""
    items = [*items]
    line = f"{indent}{opening}{', '.join(items)}{closing}"
    if len(line) <= _WIDTH:
        return line
    return "\n".join(
        [indent + opening, *(f"{indent}    {item}," for item in items), indent + closing]
    )


def _example(features: Sequence[Column], row: int) -> str:
    fields = []
    for column in features:
        if column.has_gaps and row:
            continue  # The second shows what may be left out.
        fields.append(f"{quoted(column.name)}: {_value(column, min(row, len(column.values) - 1))}")
    return _laid_out("    ", "{", fields, "},")


def _is_plain(name: str) -> bool:
    """Return whether a BaseModel can have a field of this name."""
    return (
        name.isidentifier()
        and name.isascii()
        and not keyword.iskeyword(name)
        and not name.startswith(("_", "model_"))
        and not hasattr(BaseModel, name)
        and name not in ("BaseModel", "Annotated", "Literal", "Field")
    )


def _model(features: Sequence[Column], type_of_target: str) -> str:
    kind = "Regressor" if type_of_target == "float" else "Classifier"
    boosting = f"HistGradientBoosting{kind}"
    texts = [column.name for column in features if column.holds is Holds.TEXTS]
    said = (
        '"""What is fitted: histogram boosting, which takes missing numbers as they are.\n\n'
        "Any estimator of scikit-learn may stand here; the run says if it cannot be served.\n"
        '"""\n\n'
    )
    if not texts:
        return (
            f"{said}from sklearn.ensemble import {boosting}\n\n\n"
            f"def estimator() -> {boosting}:\n    return {boosting}(random_state=0)\n"
        )
    listed = "".join(f"    {quoted(name)},\n" for name in texts)
    return (
        f"{said}from sklearn.compose import make_column_transformer\n"
        f"from sklearn.ensemble import {boosting}\n"
        "from sklearn.pipeline import Pipeline, make_pipeline\n"
        "from sklearn.preprocessing import OneHotEncoder\n\n"
        f"CATEGORIES = [\n{listed}]\n\n\n"
        "def estimator() -> Pipeline:\n"
        "    columns = make_column_transformer(\n"
        '        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), CATEGORIES),\n'
        '        remainder="passthrough",\n    )\n'
        f"    return make_pipeline(columns, {boosting}(random_state=0))\n"
    )
