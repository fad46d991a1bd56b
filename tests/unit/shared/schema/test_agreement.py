"""Every check of a value agrees with the record: the same values are taken, as the same columns.

The checks: Pydantic with what the explanation of refusals adds, the decoder of `/predict`, tensors
of the Open Inference Protocol as JSON and as binary data, and the training table.

The exceptions, because a table and a tensor cannot say all that JSON can:

* A list in the data of a tensor is a row of it.
* An empty string in a tensor is a missing category: binary data has no null.
* NaN in a binary tensor and in a table is a missing number.
* A table takes text that looks like a number for one, because a cell of a CSV has no type.
* A cell of a CSV that says NA, None or the like is missing, unless that is a category; blanks at
  its ends do not count.
* A tensor is asked only about values that its datatype holds exactly.
"""

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Required

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from api.serving.refusals import Refusals
from api.serving.tensors.reader import Reader
from api.serving.tensors.reader import columns_of as columns_of_tensors
from api.serving.tensors.request import NUMBERS
from api.serving.tensors.small import SmallRequests
from api.v2.question import opened, read, small
from shared.errors import BadTensors, BadTrainingData
from shared.schema.columns import Columns, columns_of
from shared.schema.decoder import REFUSED, Decoder, record_type
from shared.schema.features import Feature
from tests.support.titanic import FEATURES, Passenger, decode, explain, schema_of
from worker.definition.record.features import feature_of
from worker.definition.record.fields import fields_of
from worker.training.reading.cells import MISSING
from worker.training.table import features_of, parse

Column = float | str | None
"""The one value of a column, as float32 or a string; None if it is refused."""

NOT_JSON = object()
"""In place of a value that JSON can write and Python cannot hold."""


@dataclass
class Checks:
    """All that checks the value of one feature, for one definition of a record."""

    features: Sequence[Feature]
    adapter: TypeAdapter[Any]

    @cached_property
    def refusals(self) -> Refusals:
        return Refusals(schema_of(self.features), Decoder(self.features))

    def record(self, feature: Feature, text: str) -> str:
        """A record with this JSON as the value of the feature, and what else is required."""
        others = {
            json.dumps(other.name): json.dumps(some_sound_value(other))
            for other in self.features
            if other.required and other != feature
        }
        fields = others | {json.dumps(feature.name): text}
        return "{" + ", ".join(f"{name}: {value}" for name, value in fields.items()) + "}"

    def pydantic(self, feature: Feature, text: str) -> Column:
        try:
            record = self.adapter.validate_json(self.record(feature, text))
        except ValidationError:
            return None
        if self.refusals._unsound([(0, record)]):
            return None
        value = record[feature.name]
        if value is None:
            return feature.missing
        return value if isinstance(value, str) else float(np.float32(value))

    def decoder(self, feature: Feature, text: str) -> Column:
        records = list[record_type(self.features)]  # type: ignore[misc, valid-type]
        try:
            found = msgspec.json.decode(f"[{self.record(feature, text)}]".encode(), type=records)
        except REFUSED:
            return None
        return only(columns_of(self.features)(found), feature)

    def tensor(self, feature: Feature, data: str) -> Column:
        datatype = "FP64" if feature.kind == "number" else "BYTES"
        return self._read(feature, [self._head(feature, datatype, f'"data": {data}')], b"")

    def binary(self, feature: Feature, datatype: str, data: bytes) -> Column:
        size = f'"parameters": {{"binary_data_size": {len(data)}}}'
        return self._read(feature, [self._head(feature, datatype, size)], data)

    def _head(self, feature: Feature, datatype: str, rest: str) -> str:
        name = json.dumps(feature.name)
        return f'{{"name": {name}, "shape": [1], "datatype": "{datatype}", {rest}}}'

    def _read(self, feature: Feature, tensors: list[str], data: bytes) -> Column:
        for other in self.features:
            if other.required and other != feature:
                datatype = "FP64" if other.kind == "number" else "BYTES"
                value = json.dumps([some_sound_value(other)])
                tensors.append(self._head(other, datatype, f'"data": {value}'))
        head = f'{{"inputs": [{", ".join(tensors)}]}}'.encode()
        body, length = head + data, str(len(head))
        readers = {feature.name: Reader(feature) for feature in self.features}
        try:
            question = read(opened(body, length, 10, readers), 10, readers, ())
        except BadTensors:
            assert small(body, length, 10, SmallRequests(readers), readers, ()) is None
            return None
        column = only(columns_of_tensors([question.values], readers), feature)
        at_once = small(body, length, 10, SmallRequests(readers), readers, ())
        if at_once is not None:
            again = only(columns_of_tensors([at_once.values], readers), feature)
            assert same(again, column)
        return column

    def table(self, feature: Feature, value: object) -> Column:
        """Of a table whose columns have types, as Parquet's have."""
        rows = {
            f.name: pd.Series([self._cell(f, feature, value)], dtype=object) for f in self.features
        }
        return self._features_of(pd.DataFrame(rows), feature)

    def csv(self, feature: Feature, cell: str) -> Column:
        text = io.StringIO()
        rows = csv.writer(text, quoting=csv.QUOTE_ALL)
        rows.writerow([*(f.name for f in self.features), ""])
        rows.writerow([*(self._cell(f, feature, cell) for f in self.features), "another column"])
        table = parse(text.getvalue().encode(), "t.csv", self.features)
        return self._features_of(table, feature)

    def _cell(self, feature: Feature, asked: Feature, value: object) -> object:
        if feature == asked:
            return value
        return some_sound_value(feature) if feature.required else None

    def _features_of(self, table: pd.DataFrame, feature: Feature) -> Column:
        try:
            found = features_of(table, "t", self.features)
        except BadTrainingData:
            return None
        column = found[feature.name].to_numpy()
        assert column.dtype == (np.float32 if feature.kind == "number" else object)
        return only({feature.name: column.reshape(-1, 1)}, feature)


def only(columns: Columns, feature: Feature) -> Column:
    column = columns[feature.name]
    assert (column.shape, column.dtype) == ((1, 1), np.dtype(feature.dtype))
    value: float | str = column[0, 0]
    return value if isinstance(value, str) else float(value)


def some_sound_value(feature: Feature) -> float | str:
    if feature.kind == "category":
        return feature.categories[0]
    return next(v for v in (*feature.bounds, 0.0) if feature.sound(np.array([v])).all())


def same(one: Column, other: Column) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return np.float32(one).tobytes() == np.float32(other).tobytes()
    return type(one) is type(other) and one == other


# --- what is held of one value -------------------------------------------------------------------


def check(checks: Checks, feature: Feature, text: str) -> Column:
    """Asserts that all checks make the same of a JSON text; what that is."""
    wanted = checks.pydantic(feature, text)
    value = meant(text)
    found = {"decoder": checks.decoder(feature, text)}
    if not (value == "" and empty_is_missing(feature)):
        if not isinstance(value, list):
            found["tensor"] = checks.tensor(feature, f"[{text}]")
        found["tensor, row by row"] = checks.tensor(feature, f"[[{text}]]")
    for datatype, data in binary_forms(feature, value):
        found[datatype] = checks.binary(feature, datatype, data)
    looks_like_a_number = feature.kind == "number" and isinstance(value, str)
    if value is not NOT_JSON and not looks_like_a_number and value == value:
        found["table"] = checks.table(feature, value)
    if (cell := cell_of(feature, value, text)) is not None:
        found["csv"] = checks.csv(feature, cell)
    others = {name: one for name, one in found.items() if not same(one, wanted)}
    assert others == {}, f"the record takes {text} as {wanted!r}; others differ: {others}"
    return wanted


def empty_is_missing(feature: Feature) -> bool:
    """Whether an empty string in a tensor is a missing category."""
    return feature.kind == "category" and not feature.required and "" not in feature.categories


def meant(text: str) -> Any:
    """What a JSON text says; Python's reader knows NaN and surrogates too."""
    try:
        return json.loads(text)
    except ValueError:
        # More digits than Python turns into an int.
        return NOT_JSON


def binary_forms(feature: Feature, value: object) -> Iterator[tuple[str, bytes]]:
    """The value in each datatype that holds it exactly."""
    if feature.kind == "category":
        if value is None and "" not in feature.categories:
            yield "BYTES", bytes(4)
        elif isinstance(value, str) and not (value == "" and empty_is_missing(feature)):
            encoded = value.encode(errors="surrogatepass")
            yield "BYTES", len(encoded).to_bytes(4, "little") + encoded
        return
    if value is None:
        yield from ((name, np.array(math.nan, dtype).tobytes()) for name, dtype in floats())
    elif type(value) in (int, float):
        assert isinstance(value, int | float)
        for name, dtype in NUMBERS.items():
            with np.errstate(all="ignore"):
                try:
                    held = np.array([value]).astype(dtype)
                except (OverflowError, TypeError):
                    continue
            if (one := held.item()) == value and math.copysign(1, one) == math.copysign(1, value):
                yield name, held.tobytes()


def floats() -> list[tuple[str, np.dtype[Any]]]:
    return [(name, dtype) for name, dtype in NUMBERS.items() if dtype.kind == "f"]


def cell_of(feature: Feature, value: object, text: str) -> str | None:
    """The value as a cell of a CSV; None if a CSV cannot say it."""
    match value:
        case None:
            return None if "" in feature.categories else ""
        case bool():
            return text if feature.kind == "number" else None
        case int() | float():
            # As text it may be a category, and NaN is missing. JSON's -0 is an integer and has no
            # sign; a cell's has one.
            no_cell = value != value or (type(value) is int and value == 0)
            return text if feature.kind == "number" and not no_cell else None
        case str():
            empty = value in MISSING.difference(feature.categories)
            blank = value != value.strip()
            if feature.kind == "number" or empty or blank or not value.isprintable():
                return None
            return value
    return None


# --- values --------------------------------------------------------------------------------------

EDGES = (
    0.0,
    1.0,
    2.5,
    2.0**24,
    2.0**53,
    2.0**63,
    2.0**64,
    1e39,
    1e308,
    5e-324,
    1e-320,
    1e-40,
    1e-10,
)
WRITTEN = ("{!r}", "{:.40f}", "{:e}", "{:.17E}", "{:.20e}")


def numbers_near(feature: Feature) -> st.SearchStrategy[float]:
    """Edges: of the feature, of float32, of float64, and their neighbours."""
    given = (feature.minimum, feature.maximum, feature.above, feature.below)
    bounds = [bound for bound in given if bound is not None]
    edges = st.sampled_from([*bounds, *EDGES, float(np.finfo(np.float32).max)])
    whole = st.integers(-5, 125).map(float)

    def beside(value: float, sign: int, step: int) -> float:
        with np.errstate(all="ignore"):
            near = [
                value,
                math.nextafter(value, math.inf),
                math.nextafter(value, -math.inf),
                float(np.float32(value)),
                float(np.nextafter(np.float32(value), np.float32(math.inf))),
                value + 1e-10,
                value - 1e-10,
                value * (1 + 1e-9),
                value + 1,
            ]
        return sign * near[step]

    return st.builds(beside, edges | whole, st.sampled_from([1, -1]), st.integers(0, 8))


def texts(feature: Feature) -> st.SearchStrategy[str]:
    """Any JSON value, most often one near what the feature takes."""
    number = st.one_of(
        st.builds(
            str.format,
            st.sampled_from(WRITTEN),
            (numbers_near(feature) | st.floats()).filter(math.isfinite),
        ),
        st.integers(-(2**70), 2**70).map(str),
        st.integers(2**53 - 3, 2**53 + 3).map(str),
        st.builds(
            "{}{}.{}e{}".format,
            *(st.sampled_from(["", "-"]), st.integers(0, 10**25), st.integers(0, 10**25)),
            st.integers(-500, 500),
        ),
        st.sampled_from(
            ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "-0", "-0.0", "0e500", "1e-5000"]
        ),
        st.sampled_from(["0." + "0" * 400 + "1", "9" * 400, "9" * 5000, "1" + "0" * 30]),
    )
    string = st.one_of(
        st.sampled_from([*feature.categories, "", "?", "NA", "None", "1", "True", "male"]),
        st.text(st.characters(), max_size=6),
    ).map(json.dumps)
    surrogate = st.sampled_from(['"\\ud800"', '"\\udfff\\ud83d"', '"\\ud83d\\ude00"', '"a\\udc00"'])
    scalar = number | string | surrogate | st.sampled_from(["null", "true", "false"])
    nested = scalar.map("[{}]".format) | scalar.map('{{"a": {}}}'.format) | st.just("[[]]")
    most = number if feature.kind == "number" else string
    return st.one_of(most, most, most, scalar, nested)


# --- the record that there is --------------------------------------------------------------------

TITANIC = Checks(FEATURES, TypeAdapter(Passenger))
BY_NAME = {feature.name: feature for feature in FEATURES}
asked = st.sampled_from(FEATURES).flatmap(
    lambda feature: st.tuples(st.just(feature.name), texts(feature))
)


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=200)
@given(asked)
@example(("SibSp", "2.9999999999"))
@example(("SibSp", "1e-10"))
@example(("Age", "120.00000000000001"))
@example(("Age", "120.000000000000001"))
@example(("Fare", "-0.0"))
@example(("Fare", "1e308"))
@example(("Pclass", "true"))
@example(("Embarked", '""'))
@example(("Embarked", "null"))
@example(("Sex", "null"))
@example(("Sex", '""'))
@example(("Sex", '"\\ud800"'))
def test_all_checks_of_a_passenger_agree_on_any_value(case: tuple[str, str]) -> None:
    name, text = case
    feature = BY_NAME[name]
    taken = check(TITANIC, feature, text)
    if taken is None:
        body = f"[{TITANIC.record(feature, text)}]".encode()
        with pytest.raises(REFUSED):
            decode(body)
        found = explain(body, 10)
        assert found and "more than once" not in str(found)


def test_the_passengers_fields_are_asked_for_values_that_are_taken_and_refused() -> None:
    for feature in FEATURES:
        assert check(TITANIC, feature, json.dumps(some_sound_value(feature))) is not None
        assert check(TITANIC, feature, "[]") is None
        assert (check(TITANIC, feature, "null") is None) == feature.required


# --- any record ----------------------------------------------------------------------------------

# msgspec takes no field with a quotation mark or a backslash in its name.
letters = st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters='"\\\\')
names = st.text(letters, min_size=1, max_size=6)
category = st.one_of(
    st.sampled_from(["", "1", "1.0", "True", "NA", "None", "nan", "a,b", 'a"b', "?", "é", " x "]),
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=5),
)
bound = st.one_of(st.none(), st.floats(-1e6, 1e6), st.integers(-200, 200).map(float))
bound = bound | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def features(draw: st.DrawFn) -> Feature:
    kind = draw(st.sampled_from(["number", "category"]))
    common = {"name": draw(names), "kind": kind, "required": draw(st.booleans())}
    if kind == "category":
        some = draw(st.lists(category, min_size=1, max_size=4, unique=True))
        return Feature.model_validate(common | {"categories": tuple(some)})
    low = {draw(st.sampled_from(["minimum", "above"])): draw(bound)}
    high = {draw(st.sampled_from(["maximum", "below"])): draw(bound)}
    made = Feature.model_validate(common | low | high | {"whole": draw(st.booleans())})
    # Something must be sound.
    assume(made.sound(np.array([*made.bounds, 0.0])).any())
    return made


def record_of(features: Sequence[Feature]) -> Any:
    """A definition of a record, as `docs/your-own-model.md` shows how to write one."""

    def field(feature: Feature) -> Any:
        if feature.kind == "category":
            value: Any = Literal[feature.categories]
        else:
            whole: Any = {"multiple_of": 1, "json_schema_extra": {"type": "integer"}}
            bounds: Any = {"ge": feature.minimum, "le": feature.maximum}
            bounds |= {"gt": feature.above, "lt": feature.below}
            value = Annotated[float, Field(**bounds, **whole if feature.whole else {})]
        return Required[value] if feature.required else value | None

    fields = {feature.name: field(feature) for feature in features}
    record = TypedDict("Record", fields, total=False)  # type: ignore[misc]
    strict = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return with_config(strict)(record)


def in_order(feature: Feature) -> Feature:
    """To typing, literals in another order are the same type."""
    return feature.model_copy(update={"categories": sorted(feature.categories)})


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Feature], Feature, str]:
    some = draw(st.lists(features(), min_size=1, max_size=3, unique_by=lambda f: f.name.casefold()))
    feature = draw(st.sampled_from(some))
    return some, feature, draw(texts(feature))


@pytest.mark.thorough
@settings(derandomize=True, deadline=None, max_examples=200)
@given(cases())
def test_all_checks_of_any_record_agree_on_any_value(
    case: tuple[list[Feature], Feature, str],
) -> None:
    some, feature, text = case
    record = record_of(some)
    adapter = TypeAdapter(record)
    # A definition may not have categories that no cell of a table can be.
    if all(text and text == text.strip() for one in some for text in one.categories):
        found = [feature_of(field) for field in fields_of(record)]
        assert [*map(in_order, found)] == [*map(in_order, some)]
    check(Checks(some, adapter), feature, text)
