import functools
import itertools

import numpy as np
import onnx
import pandas as pd
import pytest
from numpy.typing import NDArray
from onnx import AttributeProto
from sklearn.pipeline import Pipeline

from shared.errors import ParityBroken, RunCancelled
from shared.schema.columns import Columns
from shared.schema.schema import Schema
from shared.versions.onnx_model import Answer, OnnxModel
from tests.support.titanic import FEATURES, SCHEMA
from tests.support.versions import definition, exported_pipeline, fitted_pipeline, training_table
from worker.training import parity as proof_of
from worker.training.comparison import TOLERANCE
from worker.training.export import to_onnx
from worker.training.parity import prove_parity

NUMBERS = [feature.name for feature in FEATURES if feature.kind == "number"]
OPTIONAL = [feature.name for feature in FEATURES if not feature.required]


class Spy(OnnxModel):
    """Remembers the rows that both models were asked about."""

    asked: list[pd.DataFrame] = []

    def predict(self, columns: Columns) -> Answer:
        rows = {name: pd.Series(v[:, 0], dtype=v.dtype) for name, v in columns.items()}
        Spy.asked.append(pd.DataFrame(rows))
        return super().predict(columns)


@functools.cache
def rows_of_the_proof() -> pd.DataFrame:
    Spy.asked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proof_of, "OnnxModel", Spy)
        prove_parity(fitted_pipeline(), exported_pipeline(), SCHEMA, training_table().features)
    return pd.concat(Spy.asked, ignore_index=True)


@functools.cache
def another_pipeline() -> Pipeline:
    """The same estimator, fitted on nine tenths of the table."""
    table = training_table()
    return definition().fit(table.features[:800], table.target[:800])


def trees(model: onnx.ModelProto) -> dict[str, AttributeProto]:
    (node,) = [n for n in model.graph.node if n.op_type.startswith("TreeEnsemble")]
    return {attribute.name: attribute for attribute in node.attribute}


def splits() -> list[tuple[int, float]]:
    """Place and threshold of every comparison in the default model's trees."""
    attributes = trees(onnx.load_from_string(exported_pipeline()))
    modes, values = attributes["nodes_modes"].strings, attributes["nodes_values"].floats
    return [(i, value) for i, value in enumerate(values) if modes[i] != b"LEAF"]


def nudged(attribute: str, place: int, value: float) -> bytes:
    model = onnx.load_from_string(exported_pipeline())
    trees(model)[attribute].floats[place] = value
    content: bytes = model.SerializeToString()
    return content


# --- the proof, of a true copy -------------------------------------------------------------------


def test_the_default_model_is_proved() -> None:
    parity = prove_parity(fitted_pipeline(), exported_pipeline(), SCHEMA, training_table().features)
    assert parity.tolerance == TOLERANCE == 1e-5
    assert parity.max_difference <= 1e-6
    assert parity.labels_differ == 0
    assert parity.rows == len(rows_of_the_proof())


def test_a_model_fitted_with_a_column_all_missing_is_proved() -> None:
    table = training_table()
    features = table.features.assign(Age=np.float32(np.nan), Embarked="")
    pipeline = definition().fit(features[:200], table.target[:200])
    assert prove_parity(pipeline, to_onnx(pipeline, SCHEMA), SCHEMA, features).labels_differ == 0


def test_every_training_row_is_compared() -> None:
    features = training_table().features
    pd.testing.assert_frame_equal(rows_of_the_proof()[: len(features)], features)


@pytest.mark.parametrize("blank", [*([name] for name in OPTIONAL), OPTIONAL])
def test_every_training_row_is_compared_with_each_and_all_of_its_optional_fields_missing(
    blank: list[str],
) -> None:
    features = training_table().features
    missing = {n: np.float32(np.nan) if n in NUMBERS else "" for n in blank}
    wanted = features.assign(**missing).astype(features.dtypes.to_dict())
    proof = rows_of_the_proof()
    size = len(features)
    assert any(proof[i : i + size].reset_index(drop=True).equals(wanted) for i in blocks(proof))


@pytest.mark.parametrize("name", ["Sex", "Embarked"])
def test_every_training_row_is_compared_with_a_category_that_was_never_seen(name: str) -> None:
    known = next(feature.categories for feature in FEATURES if feature.name == name)
    proof = rows_of_the_proof()
    unseen = ~proof[name].isin([*known, ""])
    assert unseen.sum() == len(training_table().features)
    others = proof[unseen].drop(columns=name).reset_index(drop=True)
    pd.testing.assert_frame_equal(others, training_table().features.drop(columns=name))


def test_a_pipeline_that_refuses_a_category_never_seen_is_told_that_clients_may_send_it() -> None:
    class Refuses(Pipeline):  # type: ignore[misc]
        def __init__(self) -> None: ...

        def predict_proba(self, rows: pd.DataFrame) -> None:
            raise ValueError("Found unknown categories ['?'] in column 0 during transform")

    with pytest.raises(ParityBroken, match=r"\['\?'\] in column 0.*handle_unknown='ignore'"):
        prove_parity(Refuses(), exported_pipeline(), SCHEMA, training_table().features)


def blocks(proof: pd.DataFrame) -> range:
    size = len(training_table().features)
    return range(0, len(proof) - size, size)


@pytest.mark.parametrize("name", NUMBERS)
def test_every_threshold_is_compared_with_both_its_neighbours(name: str) -> None:
    thresholds = np.unique(np.array([value for _, value in splits()], np.float32))
    assert len(thresholds) > 50
    for towards in (None, np.inf, -np.inf):
        wanted = thresholds if towards is None else np.nextafter(thresholds, np.float32(towards))
        assert np.isin(wanted, rows_of_the_proof()[name].to_numpy()).all()
        assert towards is None or not np.isin(wanted, thresholds).all()


def test_a_large_model_is_sampled_over_all_its_thresholds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everything = len(rows_of_the_proof())
    monkeypatch.setattr(proof_of, "_MAX_THRESHOLD_ROWS", 500)
    parity = prove_parity(fitted_pipeline(), exported_pipeline(), SCHEMA, training_table().features)
    # Training rows, their blanked copies and their categories, two of them unseen, and some beside
    # thresholds.
    declared = sum(len(feature.categories) for feature in FEATURES)
    always = len(training_table().features) * (1 + len(OPTIONAL) + 1 + declared + 2)
    assert always < parity.rows <= always + 500 < everything


def test_of_a_wide_table_fewer_rows_are_varied_and_no_field_or_category_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features = training_table().features.dropna()
    monkeypatch.setattr(proof_of, "_MAX_VARIED_VALUES", 20 * 13 * len(FEATURES))
    monkeypatch.setattr(proof_of, "_MAX_THRESHOLD_ROWS", 500)
    monkeypatch.setattr(proof_of, "OnnxModel", Spy)
    monkeypatch.setattr(Spy, "asked", [])
    prove_parity(fitted_pipeline(), exported_pipeline(), SCHEMA, features)
    varied = pd.concat(Spy.asked, ignore_index=True)[len(features) :]
    for feature in FEATURES:
        found = varied[feature.name]
        if feature.kind == "category":
            assert {*feature.strings} < {*found.unique()}
        elif not feature.required:
            assert found.isna().any()
    assert len(varied) < 2 * len(features)


# --- the proof, of a false copy ------------------------------------------------------------------


def test_the_model_of_another_fit_is_refused_and_the_rows_are_named() -> None:
    with pytest.raises(ParityBroken) as broken:
        prove_parity(another_pipeline(), exported_pipeline(), SCHEMA, training_table().features)
    message = str(broken.value)
    assert "not published" in message
    assert f"of {len(rows_of_the_proof())} rows" in message
    for part in ("'Age':", "'Sex':", "'Embarked':", "'Fare':", "scikit-learn 0.", "ONNX 0."):
        assert part in message
    assert len(message) < 2000


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("towards", [np.inf, -np.inf])
def test_one_threshold_moved_by_the_smallest_possible_step_is_noticed(
    which: int, towards: float
) -> None:
    attributes = trees(onnx.load_from_string(exported_pipeline()))
    nodes, inputs = attributes["nodes_nodeids"].ints, attributes["nodes_featureids"].ints
    # Of a number, for categories are only 0 and 1; and next to a root, where many rows come by.
    numbers = [split for split in splits() if inputs[split[0]] < len(NUMBERS)]
    place, value = sorted(numbers, key=lambda split: nodes[split[0]])[which]
    moved = float(np.nextafter(np.float32(value), np.float32(towards)))
    with pytest.raises(ParityBroken):
        prove_parity(
            fitted_pipeline(),
            nudged("nodes_values", place, moved),
            SCHEMA,
            training_table().features,
        )


def test_one_leaf_that_weighs_a_little_more_is_noticed() -> None:
    weights = trees(onnx.load_from_string(exported_pipeline()))["class_weights"].floats
    for place in itertools.islice(range(0, len(weights), 300), 3):
        moved = nudged("class_weights", place, weights[place] + 0.01)
        with pytest.raises(ParityBroken):
            prove_parity(fitted_pipeline(), moved, SCHEMA, training_table().features)


class Rigged:
    """A pipeline that answers as scripted, whatever it is asked."""

    def __init__(self, probability: float, label: int) -> None:
        self.probability, self.label = probability, label

    def predict_proba(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        return np.tile([1 - self.probability, self.probability], (len(rows), 1))

    def predict(self, rows: pd.DataFrame) -> NDArray[np.int64]:
        return np.full(len(rows), self.label)


class RiggedOnnx:
    """The same in place of `OnnxModel`, whatever bytes it is made from."""

    def __init__(self, probability: float, label: int) -> None:
        self.probability, self.label = probability, label

    def __call__(self, _: bytes, schema: Schema) -> "RiggedOnnx":
        return self

    def predict(self, columns: Columns) -> Answer:
        rows = len(columns["Sex"])
        probabilities = np.tile([1 - self.probability, self.probability], (rows, 1))
        return Answer(np.full(rows, self.label), probabilities)


@pytest.mark.parametrize(
    ("pipeline", "exported", "proved"),
    [
        (Rigged(0.3, 0), RiggedOnnx(0.3, 0), True),
        (Rigged(0.3, 0), RiggedOnnx(0.3 + 0.9e-5, 0), True),
        (Rigged(0.3, 0), RiggedOnnx(0.3 + 1.1e-5, 0), False),
        (Rigged(0.3, 0), RiggedOnnx(0.3 - 1.1e-5, 0), False),
        (Rigged(0.3, 0), RiggedOnnx(float("nan"), 0), False),
        # Another label for the same probability: right only at one half.
        (Rigged(0.3, 0), RiggedOnnx(0.3, 1), False),
        (Rigged(0.5 + 0.5e-5, 1), RiggedOnnx(0.5 - 0.1e-5, 0), True),
        (Rigged(0.5 + 2e-5, 1), RiggedOnnx(0.5 + 2e-5, 0), False),
    ],
)
def test_a_probability_may_differ_by_the_tolerance_and_a_label_only_at_one_half(
    monkeypatch: pytest.MonkeyPatch, pipeline: Pipeline, exported: RiggedOnnx, proved: bool
) -> None:
    monkeypatch.setattr(proof_of, "OnnxModel", exported)
    features = training_table().features[:20]
    if proved:
        parity = prove_parity(pipeline, exported_pipeline(), SCHEMA, features)
        assert parity.labels_differ in (0, parity.rows)
    else:
        with pytest.raises(ParityBroken):
            prove_parity(pipeline, exported_pipeline(), SCHEMA, features)


def test_the_labels_that_differ_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof_of, "OnnxModel", RiggedOnnx(0.5, 0))
    pipeline: Pipeline = Rigged(0.5, 1)
    parity = prove_parity(pipeline, exported_pipeline(), SCHEMA, training_table().features[:20])
    assert parity.labels_differ == parity.rows > 20


def test_the_message_names_at_most_three_rows_of_many() -> None:
    with pytest.raises(ParityBroken) as broken:
        prove_parity(another_pipeline(), exported_pipeline(), SCHEMA, training_table().features)
    assert str(broken.value).count("scikit-learn 0.") == 3


def test_the_proof_of_a_large_table_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof_of, "OnnxModel", RiggedOnnx(0.3, 0))
    monkeypatch.setattr(proof_of, "_BLOCK_VALUES", 5 * len(FEATURES))
    shares: list[float] = []
    prove_parity(
        Rigged(0.3, 0),
        exported_pipeline(),
        SCHEMA,
        training_table().features[:20],
        on_block=shares.append,
    )
    assert shares == sorted(shares) and len(set(shares)) == 5
    assert 0 == shares[0] < shares[-1] < 1


def test_what_the_caller_raises_ends_the_proof() -> None:
    def cancel(share: float) -> None:
        raise RunCancelled

    with pytest.raises(RunCancelled):
        prove_parity(
            fitted_pipeline(),
            exported_pipeline(),
            SCHEMA,
            training_table().features,
            on_block=cancel,
        )
