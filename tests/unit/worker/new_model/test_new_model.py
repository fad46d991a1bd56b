"""`make new-model`: what is proposed is accepted, and can be fitted."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes

from shared.errors import BadTrainingData
from shared.schema.schema import Kind
from tests.support.processes import ROOT
from worker.definition.definition import Definition, read
from worker.new_model import __main__ as command
from worker.new_model import columns
from worker.new_model.proposal import Proposal, propose
from worker.training import table

EXAMPLES = ROOT / "examples"


def new_model(tmp_path: Path, source: Path, target: str = "") -> Definition:
    command.main([str(tmp_path / "my-model"), str(source), target])
    return read(tmp_path / "my-model")


def proposal(tmp_path: Path, frame: pd.DataFrame, target: str | None = None) -> Proposal:
    frame.to_csv(tmp_path / "t.csv", index=False)
    return propose(columns.read(str(tmp_path / "t.csv")), "Row", target)


def fitted(definition: Definition, source: Path) -> np.ndarray:
    loaded = table.load(str(source), definition.schema, folds=2, number=definition.target)
    found: np.ndarray = definition.fit(loaded.features, loaded.target).predict(loaded.features)
    return found


@pytest.mark.parametrize(
    ("name", "target", "kind", "features"),
    [
        ("titanic", "Survived", Kind.BINARY, "Pclass Sex Age SibSp Parch Fare Embarked"),
        ("penguins", "species", Kind.MULTICLASS, "island bill_length_mm bill_depth_mm"),
        ("penguins", "male", Kind.BINARY, "species island bill_length_mm"),
        ("penguins", "body_mass_g", Kind.REGRESSION, "species island bill_length_mm"),
        ("titanic", "", Kind.REGRESSION, "Survived Pclass Sex Age SibSp Parch Embarked"),
    ],
)
def test_what_is_proposed_for_a_table_is_accepted_and_trains(
    tmp_path: Path, name: str, target: str, kind: Kind, features: str
) -> None:
    source = EXAMPLES / name / "data.csv"
    definition = new_model(tmp_path, source, target)
    assert definition.schema.kind is kind
    assert definition.schema.record == "MyModel"
    names = [feature.name for feature in definition.schema.features]
    assert names[: len(features.split())] == features.split()
    assert len(fitted(definition, source)) > 300


def test_of_the_titanic_ids_and_free_text_are_left_out(tmp_path: Path) -> None:
    made = propose(columns.read(str(EXAMPLES / "titanic" / "data.csv")), "Row", "Survived")
    assert {*made.left_out} == {"PassengerId", "Name", "Ticket", "Cabin"}
    assert "looks like an id" in made.left_out["PassengerId"]
    assert "free text" in made.left_out["Name"]
    assert "# 'Name' is left out: " in made.record


def test_a_parquet_of_numbers_is_read_too(tmp_path: Path) -> None:
    source = tmp_path / "t.parquet"
    load_diabetes(as_frame=True, scaled=False).frame.to_parquet(source)
    definition = new_model(tmp_path, source)
    assert (definition.schema.target, definition.schema.kind) == ("target", Kind.REGRESSION)
    assert len(fitted(definition, source)) == 442


def test_any_name_of_a_column_is_written_as_code(tmp_path: Path) -> None:
    names = [
        "class",
        "a b",
        'say "x"',
        "it's",
        "größe",
        "_x",
        "copy",
        "model_x",
        "1st",
        "back\\slash",
    ]
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({name: generator.normal(size=40) for name in names})
    frame["is it?"] = ["yes", "no"] * 20
    source = tmp_path / "t.csv"
    frame.to_csv(source, index=False)
    definition = new_model(tmp_path, source, "is it?")
    odd = ['say "x"', "back\\slash"]
    assert [f.name for f in definition.schema.features] == [n for n in names if n not in odd]
    assert definition.schema.classes == ("no", "yes")
    assert fitted(definition, source).tolist().count("yes") > 10


def test_categories_are_written_as_code(tmp_path: Path) -> None:
    texts = ["it's", 'say "x"', "back\\slash", "ü", "both ' and \"", "{x}"]
    frame = pd.DataFrame({"text": texts * 10, "y": [0, 1] * 30})
    source = tmp_path / "t.csv"
    frame.to_csv(source, index=False)
    (feature,) = new_model(tmp_path, source).schema.features
    assert sorted(feature.categories) == sorted(texts)


@pytest.mark.parametrize("blank", ["_", " "])
def test_the_code_fits_its_lines(tmp_path: Path, blank: str) -> None:
    rows = range(200)
    frame = pd.DataFrame(
        {f"measurement{blank}{n}": [x * n % 17 for x in rows] for n in range(1, 9)}
    )
    frame[f"place{blank}x"] = [None if x == 3 else f"district {x % 40}" for x in rows]
    frame["note"] = [f"free text {x}" for x in rows]
    frame["y"] = [f"a label of a few words {x % 9}" for x in rows]
    made = proposal(tmp_path, frame, "y")
    assert max(map(len, [*made.record.splitlines(), *made.model.splitlines()])) <= 100
    feature = new_model(tmp_path, tmp_path / "t.csv", "y").schema.features[8]
    assert (len(feature.categories), feature.required) == (40, False)


def test_yes_or_no_has_no_other_number(tmp_path: Path) -> None:
    frame = pd.DataFrame({"is_new": [0, 1] * 20, "y": [0, 1, 1, 0] * 10})
    assert "is_new: Annotated[int, Field(ge=0, le=1)]" in proposal(tmp_path, frame, "y").record


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (["x"] * 40, "always 'x'"),
        ([3] * 40, "always '3.0'|always '3'"),
        ([None] * 40, "it is empty"),
        ([f"text {i}" for i in range(40)], "free text"),
        ([f"2024-01-{i % 28 + 1:02}" for i in range(40)], "a date is not a feature"),
        (range(100, 140), "looks like an id"),
        ([1e39, 2e39] * 20, "beyond float32"),
    ],
)
def test_a_column_that_is_not_a_feature_is_a_comment(
    tmp_path: Path, values: list[object], why: str
) -> None:
    frame = pd.DataFrame({"odd": values, "x": np.arange(40) ** 2 % 17, "y": [0, 1] * 20})
    made = proposal(tmp_path, frame)
    assert (made.target, [*made.left_out]) == ("y", ["odd"])
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(made.left_out["odd"])


def test_fields_with_gaps_are_optional_and_bounds_leave_room(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"a": [1.5, 2.5, None, 2.5] * 10, "b": [-3, 40] * 20, "y": ["u", "v"] * 20}
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    a, b = new_model(tmp_path, tmp_path / "t.csv").schema.features
    assert (a.required, a.whole, a.minimum, a.maximum) == (False, False, 0, 5)
    assert (b.required, b.whole, b.minimum, b.maximum) == (True, True, -10, 100)


def test_a_decimal_comma_is_read_as_training_reads_it(tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    rows = "".join(f"{i % 7},{i % 10};{i % 2}\n" for i in range(40))
    source.write_text(f"size;y\n{rows}")
    definition = new_model(tmp_path, source)
    assert definition.schema.features[0].maximum == 20
    assert len(fitted(definition, source)) == 40


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my-model").mkdir()
    with pytest.raises(SystemExit):
        new_model(tmp_path, EXAMPLES / "titanic" / "data.csv")
    assert "is there already, and nothing is overwritten" in capsys.readouterr().err
    assert not [*(tmp_path / "my-model").iterdir()]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nothing", "TARGET=nothing: expected one of the columns PassengerId"),
        ("Age", "Age: expected a target without gaps, found 177 empty cells among 891"),
        ("Name", "Name: expected labels with at least 10 rows each.*891 different"),
    ],
)
def test_another_target_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str, said: str
) -> None:
    with pytest.raises(SystemExit):
        new_model(tmp_path, EXAMPLES / "titanic" / "data.csv", target)
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(capsys.readouterr().err)
    assert not (tmp_path / "my-model").exists()


def test_a_table_that_cannot_be_read_or_learned_from_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text("a,b\n")
    for source in (tmp_path / "none.csv", tmp_path / "t.csv"):
        with pytest.raises(SystemExit):
            new_model(tmp_path, source)
        assert capsys.readouterr().err.startswith("lifeboat: ")
    with pytest.raises(BadTrainingData, match="that can be learned, found none"):
        proposal(tmp_path, pd.DataFrame({"a": ["x"] * 40}))
    with pytest.raises(BadTrainingData, match="y can be learned from, found none"):
        proposal(tmp_path, pd.DataFrame({"a": ["x"] * 40, "y": [0, 1] * 20}))
