import hashlib
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from shared.errors import BadTrainingData
from shared.schema.features import Feature
from shared.schema.schema import Kind, Schema
from tests.support.versions import EXAMPLES, definition
from worker.training import table as table_module
from worker.training.reading.cells import MISSING
from worker.training.table import TrainingTable, features_of, load, parse

Change = Callable[[pd.DataFrame], None]

SCHEMA = definition().schema
FEATURES = SCHEMA.features


DEPTH = Feature(name="depth", kind="number", required=False)


def table(rows: int = 12) -> pd.DataFrame:
    """A sound training table: every other passenger survived."""
    return pd.DataFrame(
        {
            "PassengerId": range(1, rows + 1),
            "Survived": [row % 2 for row in range(rows)],
            "Pclass": [1 + row % 3 for row in range(rows)],
            "Sex": ["male", "female"] * (rows // 2),
            "Age": [20.5 + row for row in range(rows)],
            "SibSp": [row % 3 for row in range(rows)],
            "Parch": [row % 2 for row in range(rows)],
            "Fare": [7.25 * (1 + row) for row in range(rows)],
            "Embarked": (["S", "C", "Q"] * rows)[:rows],
        }
    )


def changed(change: Change) -> pd.DataFrame:
    rows = table()
    # Room for any value in any row.
    rows[["Age", "Fare", "SibSp", "Survived"]] = rows[["Age", "Fare", "SibSp", "Survived"]].astype(
        object
    )
    change(rows)
    return rows


def write_csv(rows: pd.DataFrame, path: Path) -> str:
    rows.to_csv(path, index=False)
    return str(path)


def write_parquet(rows: pd.DataFrame, path: Path) -> str:
    rows.to_parquet(path)
    return str(path)


def load_rows(rows: pd.DataFrame, folder: Path) -> TrainingTable:
    return load(write_csv(rows, folder / "t.csv"), SCHEMA, folds=3)


def refusal(source: str, folds: int = 3) -> str:
    with pytest.raises(BadTrainingData) as refused:
        load(source, SCHEMA, folds=folds)
    return str(refused.value)


# --- what is loaded ------------------------------------------------------------------------------


def test_a_table_becomes_features_labels_and_their_fingerprint(tmp_path: Path) -> None:
    source = write_csv(table(), tmp_path / "t.csv")
    loaded = load(source, SCHEMA, folds=3)
    assert list(loaded.features.columns) == [feature.name for feature in FEATURES]
    assert loaded.features["Age"].tolist() == table()["Age"].tolist()
    assert loaded.features["Embarked"].tolist() == table()["Embarked"].tolist()
    assert loaded.target.tolist() == [0, 1] * 6
    assert loaded.data.source == source
    assert loaded.data.sha256 == hashlib.sha256(Path(source).read_bytes()).hexdigest()
    assert (loaded.data.rows, loaded.data.positives) == (12, 6)


def test_missing_values_are_what_the_model_takes_for_missing(tmp_path: Path) -> None:
    def blank(rows: pd.DataFrame) -> None:
        rows.loc[1, ["Age", "Embarked", "Fare", "SibSp"]] = None

    features = load_rows(changed(blank), tmp_path).features
    assert features["Embarked"].tolist()[:3] == ["S", "", "Q"]
    for name in ("Age", "Fare", "SibSp"):
        assert features[name].isna().tolist() == [False, True] + [False] * 10
        assert features[name].dtype == np.float32


@pytest.mark.parametrize("name", ["Age", "Embarked", "Pclass"])
def test_a_column_without_any_value_is_all_missing(tmp_path: Path, name: str) -> None:
    rows = table()
    rows[name] = None
    loaded = load_rows(rows, tmp_path).features[name]
    assert loaded.isna().all() if name != "Embarked" else set(loaded) == {""}


def test_other_columns_and_their_order_do_not_matter(tmp_path: Path) -> None:
    plain = load_rows(table(), tmp_path)
    rows = table()
    rows["Name"] = "Braund, Mr. Owen Harris"
    rows["age"] = "a word"
    turned = load_rows(rows[rows.columns[::-1]], tmp_path)
    pd.testing.assert_frame_equal(turned.features, plain.features)
    assert np.array_equal(turned.target, plain.target)


def with_a_gap(rows: pd.DataFrame) -> None:
    rows["SibSp"] = rows["SibSp"].astype("Int64")
    rows.loc[0, "SibSp"] = pd.NA


def as_categories(rows: pd.DataFrame) -> None:
    rows["Sex"] = rows["Sex"].astype("category")
    rows["Embarked"] = rows["Embarked"].astype("string")


def with_an_index(rows: pd.DataFrame) -> None:
    rows.index = pd.Index([7] * len(rows))


def unchanged(rows: pd.DataFrame) -> None:
    pass


@pytest.mark.parametrize("change", [unchanged, with_a_gap, as_categories, with_an_index])
def test_parquet_gives_what_csv_gives(tmp_path: Path, change: Change) -> None:
    rows = table()
    change(rows)
    # Named alike: the content says what it is, not the name.
    csv = load(write_csv(rows, tmp_path / "t"), SCHEMA, folds=3)
    parquet = load(write_parquet(rows, tmp_path / "u"), SCHEMA, folds=3)
    parquet_features = parquet.features.reset_index(drop=True)
    pd.testing.assert_frame_equal(parquet_features, csv.features, check_dtype=True)
    assert np.array_equal(parquet.target, csv.target)


@pytest.mark.parametrize("form", [float, object])
def test_a_whole_number_may_be_written_with_a_point(tmp_path: Path, form: type) -> None:
    rows = table()
    rows["Pclass"] = rows["Pclass"].astype(float)
    rows["Survived"] = rows["Survived"].astype(float).astype(form)
    assert load_rows(rows, tmp_path).target.dtype == np.int64


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    columns = ["Survived", *(feature.name for feature in FEATURES)]
    path.write_bytes(b"\xef\xbb\xbf" + table()[columns].to_csv(index=False).encode())
    assert load(str(path), SCHEMA, folds=3).data.rows == 12


def test_the_source_is_noted_without_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "fetch", lambda *_: table().to_csv(index=False).encode())
    source = "https://user:sesame@example.org:8443/t.csv?token=sesame#sesame"
    loaded = load(source, SCHEMA, folds=3)
    assert (loaded.data.rows, loaded.data.source) == (12, "https://example.org:8443/t.csv")


@pytest.mark.parametrize("word", ["1", "1.0", "True", "None", "NA", ""])
def test_a_category_of_a_csv_is_read_as_it_is_written(word: str) -> None:
    feature = Feature(name="pool", kind="category", required=False, categories=(word, "indoor"))
    body = f'pool,depth\n"{word}",1\nindoor,\nN/A,3\n'.encode()
    parsed = parse(body, "t.csv", [feature, DEPTH])
    found = features_of(parsed, "t.csv", [feature])["pool"]
    assert found.tolist() == [word, "indoor", ""]
    assert parsed["depth"].isna().tolist() == [False, True, False]


def test_what_pandas_takes_for_missing_is_missing() -> None:
    assert MISSING == importlib.import_module("pandas._libs.parsers").STR_NA_VALUES


# --- no table ------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_a_header_without_rows_is_refused_as_such(
    tmp_path: Path, write: Callable[[pd.DataFrame, Path], str]
) -> None:
    source = write(table()[:0], tmp_path / "t")
    message = refusal(source)
    assert source in message and "no rows" in message


@pytest.mark.parametrize("content", [b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_what_only_begins_as_parquet_is_refused_as_such(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    message = refusal(str(path))
    assert str(path) in message and "expected a CSV or a Parquet table, got neither" in message


def test_a_parquet_file_of_one_value_may_not_unpack_to_more_than_is_allowed(tmp_path: Path) -> None:
    rows = pd.concat([table()] * 1000)
    source = write_parquet(rows.assign(Age=1.0, Fare=1.0), tmp_path / "t.parquet")
    assert Path(source).stat().st_size < 100_000
    with pytest.raises(BadTrainingData, match="LIFEBOAT_TRAINING_DATA_MAX_BYTES"):
        load(source, SCHEMA, folds=3, most_bytes=200_000)


def test_names_of_columns_in_parquet_are_read_as_those_of_csv(tmp_path: Path) -> None:
    rows = table().rename(columns={"Age": " Age\u00a0"})
    parquet = load(write_parquet(rows, tmp_path / "t"), SCHEMA, folds=3)
    assert parquet.features["Age"].tolist() == table()["Age"].tolist()
    rows["Age"] = 1
    assert "Age twice" in refusal(write_parquet(rows, tmp_path / "t"))


def test_a_number_is_not_a_category_that_looks_like_it() -> None:
    feature = Feature(name="level", kind="category", required=True, categories=("1", "2"))
    said = "row 1, column level: expected one of '1', '2', got '1', which is not text but of the"
    with pytest.raises(BadTrainingData, match=said):
        features_of(pd.DataFrame({"level": [1, 2]}), "t", [feature])


def test_half_a_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_parquet(table(), path)
    path.write_bytes(path.read_bytes()[:-100])
    assert "expected a CSV or a Parquet table, got neither" in refusal(str(path))


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (["Age"], "the column Age;"),
        (["Survived"], "the column Survived;"),
        (["Sex", "Embarked", "Survived"], "the columns Sex, Embarked, Survived;"),
    ],
)
@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_missing_columns_are_named_beside_those_that_are_there(
    tmp_path: Path,
    write: Callable[[pd.DataFrame, Path], str],
    missing: list[str],
    said: str,
) -> None:
    source = write(table().drop(columns=missing), tmp_path / "t")
    message = refusal(source)
    assert source in message and said in message
    assert "PassengerId" in message.partition("; it has ")[2]


# --- values that training cannot use -------------------------------------------------------------


def put(name: str, value: str | float | None, *rows: int) -> Change:
    def change(table: pd.DataFrame) -> None:
        table.loc[list(rows), name] = value

    return change


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Age", "old", "a number"),
        ("Age", -1, "at least 0"),
        ("Age", 121, "at most 120"),
        ("Age", "inf", "a number"),
        ("Fare", -0.01, "at least 0"),
        ("Fare", 1e7, "at most 1"),
        ("Pclass", 4, "at least 1 and at most 3"),
        ("Pclass", 0, "at least 1 and at most 3"),
        ("SibSp", 0.5, "a whole number"),
        ("SibSp", 101, "at most 100"),
        ("Sex", "Male", "'male', 'female'"),
        ("Sex", "1", "'male', 'female'"),
        ("Embarked", "Southampton", "'C', 'Q', 'S'"),
        ("Embarked", "s", "'C', 'Q', 'S'"),
        ("Survived", 2, "0 or 1"),
        ("Survived", -1, "0 or 1"),
        ("Survived", 0.5, "0 or 1"),
        ("Survived", "yes", "a number"),
    ],
)
def test_a_wrong_value_names_column_row_value_and_what_is_needed(
    tmp_path: Path, name: str, value: str | float, expected: str
) -> None:
    source = write_csv(changed(put(name, value, 4, 6)), tmp_path / "t.csv")
    message = refusal(source)
    assert f"{source}, row 5, column {name}: expected " in message
    assert repr(str(value))[1:-1] in message
    assert expected in message
    assert "2 such rows" in message


def test_a_column_of_words_names_the_first_bad_row(tmp_path: Path) -> None:
    message = refusal(write_csv(changed(put("Age", "old", *range(12))), tmp_path / "t.csv"))
    assert "row 1, column Age: " in message and "12 such rows" in message


@pytest.mark.parametrize("column", ["Age", "SibSp", "Survived"])
@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_true_and_false_are_no_numbers(
    tmp_path: Path, write: Callable[[pd.DataFrame, Path], str], column: str
) -> None:
    rows = table()
    rows[column] = [True, False] * 6
    message = refusal(write(rows, tmp_path / "t"))
    assert f"row 1, column {column}: expected a number, got a boolean; write 1 or 0" in message


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_true_and_false_are_no_numbers_beside_a_gap_either(
    tmp_path: Path, write: Callable[[pd.DataFrame, Path], str]
) -> None:
    rows = table()
    rows["Age"] = pd.Series([True, None, False] * 4, dtype=object)
    expected = "row 1, column Age: expected a number, got a boolean"
    assert expected in refusal(write(rows, tmp_path / "t"))


def test_true_and_false_are_no_numbers_in_a_nullable_column_either(tmp_path: Path) -> None:
    rows = table()
    rows["Age"] = pd.array([True, None, False] * 4, dtype="boolean")
    message = refusal(write_parquet(rows, tmp_path / "t"))
    assert "row 1, column Age: expected a number, got a boolean" in message


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_a_date_is_no_number(tmp_path: Path, zone: str | None) -> None:
    rows = table()
    rows["Fare"] = pd.date_range("1970-01-01", periods=12, freq="ns", tz=zone)
    assert "column Fare: expected a number, got a date" in refusal(
        write_parquet(rows, tmp_path / "t")
    )


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_number_of_very_many_digits_is_refused_as_such(tmp_path: Path, digits: int) -> None:
    message = refusal(write_csv(changed(put("Fare", "9" * digits, 2)), tmp_path / "t.csv"))
    assert "row 3, column Fare: expected a number" in message


def test_a_required_value_that_is_missing_names_its_row(tmp_path: Path) -> None:
    source = write_csv(changed(put("Sex", None, 2, 9)), tmp_path / "t.csv")
    assert (
        f"{source}, row 3, column Sex: expected one of 'male', 'female', got no value"
        in refusal(source)
    )


def test_a_missing_label_names_its_row(tmp_path: Path) -> None:
    message = refusal(write_csv(changed(put("Survived", None, 11)), tmp_path / "t.csv"))
    assert "row 12, column Survived: expected a label, 0 or 1, got no value" in message


@pytest.mark.parametrize("label", [0, 1])
def test_labels_of_one_class_only_cannot_be_learned(tmp_path: Path, label: int) -> None:
    message = refusal(write_csv(changed(put("Survived", label, *range(12))), tmp_path / "t.csv"))
    assert f"no rows with label {1 - label}" in message


def test_each_label_needs_a_row_per_fold(tmp_path: Path) -> None:
    source = write_csv(table(), tmp_path / "t.csv")
    assert load(source, SCHEMA, folds=6).data.rows == 12
    message = refusal(source, folds=7)
    assert "6 rows with label 0 among 12" in message
    assert "at least 7" in message and "7-fold" in message


def test_a_long_value_is_not_repeated_whole(tmp_path: Path) -> None:
    message = refusal(write_csv(changed(put("Sex", "x" * 10_000, 0)), tmp_path / "t.csv"))
    assert "xxx" in message and len(message) < 500


def test_the_default_table_is_sound() -> None:
    default = EXAMPLES / "titanic" / "data.csv"
    loaded = load(str(default), SCHEMA, folds=10)
    assert (loaded.data.rows, loaded.data.positives) == (891, 342)


# --- targets by kind -----------------------------------------------------------------------------


def schema_of(kind: Kind, *classes: Any, positive: Any = None) -> Schema:
    features = (Feature(name="x", kind="number", required=False),)
    return Schema(
        record="Row",
        features=features,
        target="y",
        kind=kind,
        classes=classes,
        positive=positive,
    )


COLOURS = schema_of(Kind.MULTICLASS, "1", "NA", "red")
LEVELS = schema_of(Kind.MULTICLASS, -1, 0, 2)
LATE = schema_of(Kind.BINARY, False, True, positive=True)
PRICE = schema_of(Kind.REGRESSION)
POSITIVE = Feature(name="y", kind="number", required=True, above=0, maximum=1e6)


def rows_of(values: Sequence[object], times: int = 1) -> pd.DataFrame:
    return pd.DataFrame({"x": 1.5, "y": [*values] * times})


def load_y(source: str, schema: Schema, number: Feature | None = None) -> TrainingTable:
    return load(source, schema, folds=3, number=number)


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_labels_that_are_text_are_read_as_they_are_written(
    tmp_path: Path, write: Callable[[pd.DataFrame, Path], str]
) -> None:
    loaded = load_y(write(rows_of(["1", "red", "NA"], 4), tmp_path / "t"), COLOURS)
    assert loaded.target.dtype == object
    assert loaded.target.tolist() == ["1", "red", "NA"] * 4
    assert loaded.data.labels == {"1": 4, "NA": 4, "red": 4}
    assert loaded.data.positives is None and loaded.data.quantiles is None


@pytest.mark.parametrize("values", [[-1, 0, 2], [-1.0, 0.0, 2.0], ["-1", "0", "2.0"]])
@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_labels_that_are_numbers_are_whole(
    tmp_path: Path, write: Callable[[pd.DataFrame, Path], str], values: list[object]
) -> None:
    loaded = load_y(write(rows_of(values, 4), tmp_path / "t"), LEVELS)
    assert loaded.target.dtype == np.int64 and loaded.target.tolist() == [-1, 0, 2] * 4


@pytest.mark.parametrize(
    "values", [[True, False], ["True", "false"], ["TRUE", "FALSE"], [1, 0], ["1", "0"], [1.0, 0.0]]
)
@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_labels_that_are_true_or_false_may_be_written_as_people_do(
    tmp_path: Path, write: Callable[[pd.DataFrame, Path], str], values: list[object]
) -> None:
    loaded = load_y(write(rows_of(values, 4), tmp_path / "t"), LATE)
    assert loaded.target.dtype == np.bool_ and loaded.target.tolist() == [True, False] * 4
    assert loaded.data.positives == 4


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_a_number_to_predict_is_kept_whole_and_told_by_its_deciles(
    tmp_path: Path, write: Callable[[pd.DataFrame, Path], str]
) -> None:
    values = [0.1 + row for row in range(11)]
    loaded = load_y(write(rows_of(values), tmp_path / "t"), PRICE, POSITIVE)
    assert loaded.target.dtype == np.float64 and loaded.target.tolist() == values
    assert loaded.data.quantiles == pytest.approx(values)


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        (COLOURS, "Red", "expected '1', 'NA' or 'red', got 'Red'"),
        (COLOURS, None, "expected a label, '1', 'NA' or 'red', got no value"),
        (LEVELS, 1, "expected -1, 0 or 2, got '1"),
        (LEVELS, 0.5, "expected -1, 0 or 2, got '0.5'"),
        (LATE, "yes", "expected true or false (or 1 or 0), got 'yes'"),
        (LATE, None, "got no value"),
        (PRICE, 0, "expected a number more than 0 and at most 1000000, got '0"),
        (PRICE, 1e7, "expected a number more than 0 and at most 1000000, got '10000000"),
        (PRICE, None, "got no value"),
        (PRICE, "dear", "expected a number, got 'dear'"),
    ],
)
def test_a_target_that_the_record_does_not_declare_names_its_row(
    tmp_path: Path, schema: Schema, value: object, said: str
) -> None:
    sound: list[object] = [*(schema.classes or (1.0, 2.0, 3.0))] * 4
    source = write_csv(rows_of([*sound[:4], value, *sound]), tmp_path / "t.csv")
    if value is None and schema is COLOURS:
        # "NA" is a label, and an empty cell is not.
        assert "\n1.5,\n" in Path(source).read_text()
    with pytest.raises(BadTrainingData) as refused:
        load_y(source, schema, POSITIVE)
    assert "row 5, column y: " in str(refused.value) and said in str(refused.value)


def test_a_regression_needs_two_rows_per_fold_and_numbers_that_differ(tmp_path: Path) -> None:
    few = write_csv(rows_of(range(5)), tmp_path / "few.csv")
    with pytest.raises(BadTrainingData, match="column y: expected at least 6 rows.*got 5"):
        load_y(few, PRICE)
    same = write_csv(rows_of([3.5] * 9), tmp_path / "same.csv")
    with pytest.raises(BadTrainingData, match="a target that varies, got 3.5 in each of 9 rows"):
        load_y(same, PRICE)


# --- a definition's own table --------------------------------------------------------------------


def test_a_frame_is_checked_as_a_file_is_and_known_by_its_content() -> None:
    def load_frame(rows: pd.DataFrame, source: str = "") -> TrainingTable:
        return load(source, SCHEMA, folds=3, frame=lambda _: rows)

    loaded = load_frame(table())
    assert loaded.data.source == "load() of model.py" and loaded.data.rows == 12
    turned = table()[table().columns[::-1]].set_axis(range(5, 17))
    assert load_frame(turned).data.sha256 == loaded.data.sha256
    assert load_frame(turned).features.equals(loaded.features)
    assert load_frame(changed(put("Age", 3, 0))).data.sha256 != loaded.data.sha256
    assert load_frame(changed(put("Survived", 1, 0))).data.sha256 != loaded.data.sha256
    named = load_frame(table(), "db://me:sesame@host/t?key=sesame").data.source
    assert named == "load('db://host/t')"
    with pytest.raises(BadTrainingData, match=r"load\(\) of model.py lacks the column Age"):
        load_frame(table().drop(columns="Age"))
    with pytest.raises(BadTrainingData, match=r"row 3, column Age: expected .* got '-1'"):
        load_frame(changed(put("Age", -1, 2)))
