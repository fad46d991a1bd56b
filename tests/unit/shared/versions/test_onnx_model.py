import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from shared.schema.columns import Columns
from shared.versions.onnx_model import OUTPUT_NAMES, OnnxModel
from tests.support.records import columns
from tests.support.titanic import EXAMPLES, FEATURES, SCHEMA
from tests.support.versions import exported_pipeline

_ROOT = Path(__file__).parents[4]

WHOLE = {
    "Age": 30.0,
    "Sex": "female",
    "Embarked": "Q",
    "Pclass": 2.0,
    "SibSp": 1.0,
    "Parch": 0.0,
    "Fare": 13.0,
}


@pytest.fixture(scope="module")
def model() -> OnnxModel:
    return OnnxModel(exported_pipeline(), SCHEMA)


FEATURE_NAMES = tuple(feature.name for feature in FEATURES)


def handmade(
    nodes: list[onnx.NodeProto],
    inputs: tuple[str, ...] = FEATURE_NAMES,
    outputs: tuple[str, ...] = OUTPUT_NAMES[SCHEMA.kind],
) -> bytes:
    """A model of those nodes that takes one column per input."""
    text = [feature.name for feature in FEATURES if feature.kind == "category"]
    graph = helper.make_graph(
        nodes,
        "handmade",
        [
            helper.make_tensor_value_info(
                name, TensorProto.STRING if name in text else TensorProto.FLOAT, [None, 1]
            )
            for name in inputs
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [helper.make_tensor("impossible", TensorProto.INT64, [2], [7, 7])],
    )
    opset = [helper.make_opsetid("", 17)]
    content: bytes = helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    return content


def identities(*pairs: tuple[str, str]) -> list[onnx.NodeProto]:
    return [helper.make_node("Identity", [source], [target]) for source, target in pairs]


def chances(model: OnnxModel, taken: Columns) -> NDArray[np.float32]:
    """Return the probabilities of label 1."""
    found = model.predict(taken).probabilities
    assert found is not None
    return found[:, 1]


def test_labels_are_integers_and_probabilities_are_those_of_label_one(model: OnnxModel) -> None:
    labels = model.predict(columns(EXAMPLES)).codes
    assert labels is not None and labels.dtype == np.int64 and labels.tolist() == [0, 1]
    probabilities = chances(model, columns(EXAMPLES))
    assert probabilities.dtype == np.float32 and probabilities.shape == (2,)
    assert probabilities[0] < 0.5 < probabilities[1]


def test_no_rows_give_no_predictions(model: OnnxModel) -> None:
    answer = model.predict(columns([]))
    assert answer.codes is not None and answer.probabilities is not None
    assert (answer.codes.shape, answer.probabilities.shape) == ((0,), (0, 2))


@pytest.mark.parametrize("absent", [f.name for f in FEATURES if not f.required])
def test_a_missing_field_is_answered_as_one_known_row_among_others_is(
    model: OnnxModel, absent: str
) -> None:
    row = {name: value for name, value in WHOLE.items() if name != absent}
    alone = chances(model, columns([row]))
    together = chances(model, columns([WHOLE, row, WHOLE]))
    assert 0 < alone[0] < 1
    assert together[1] == alone[0]
    assert together[0] == together[2]


def test_an_unseen_category_is_answered(model: OnnxModel) -> None:
    unseen = np.array([["?"]], object)
    known = columns([{"Sex": "male", "Embarked": "S"}])
    probabilities = chances(model, {**known, "Sex": unseen, "Embarked": unseen})
    assert 0 < probabilities[0] < 1


def test_many_threads_at_once_get_the_answers_of_one(model: OnnxModel) -> None:
    rows = [{"Sex": "female", "Age": float(age)} for age in range(80)]
    expected = chances(model, columns(rows))

    def answer(age: int) -> float:
        return float(chances(model, columns([rows[age]]))[0])

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(answer, list(range(80)) * 5))
    assert answers == pytest.approx(expected.tolist() * 5, abs=1e-7)


def test_a_sound_model_warms_up(model: OnnxModel) -> None:
    model.warm_up()


@pytest.mark.parametrize("content", [b"", b"no model", b"\x00" * 1000])
def test_bytes_that_are_no_model_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        OnnxModel(content, SCHEMA)


def test_half_a_model_is_refused() -> None:
    content = exported_pipeline()
    with pytest.raises(ValueError, match="cannot load"):
        OnnxModel(content[: len(content) // 2], SCHEMA)


def test_a_model_with_other_inputs_is_refused_and_they_are_named() -> None:
    content = handmade(
        identities(("Age", "label"), ("Deck", "probabilities")), inputs=("Age", "Deck")
    )
    with pytest.raises(ValueError, match=r"\['Age', 'Deck'\].*'Embarked'"):
        OnnxModel(content, SCHEMA)


def test_a_model_with_other_outputs_is_refused_and_they_are_named() -> None:
    nodes = identities(("Age", "label"), ("Fare", "scores"))
    content = handmade(nodes, outputs=("label", "scores"))
    with pytest.raises(ValueError, match="scores.*probabilities"):
        OnnxModel(content, SCHEMA)


def test_a_model_that_loads_but_does_not_predict_fails_to_warm_up() -> None:
    reshape = helper.make_node("Reshape", ["Age", "impossible"], ["label"])
    model = OnnxModel(handmade([reshape, *identities(("Fare", "probabilities"))]), SCHEMA)
    with pytest.raises(ValueError, match="does not predict"):
        model.warm_up()


_PROGRAM = """
import os, sys
from shared.schema.columns import Columns
from shared.versions.onnx_model import OnnxModel
from tests.support.titanic import EXAMPLES, SCHEMA, to_columns, to_records
model = OnnxModel(open(sys.argv[1], "rb").read(), SCHEMA)
model.warm_up()
labels = model.predict(to_columns(to_records(EXAMPLES))).codes
print(labels.tolist(), os.environ["ORT_DISABLE_TELEMETRY"])
"""


@pytest.mark.slow
def test_a_process_that_predicts_has_telemetry_off_and_leaves_nothing_at_home(
    tmp_path: Path,
) -> None:
    model, home = tmp_path / "model.onnx", tmp_path / "home"
    model.write_bytes(exported_pipeline())
    home.mkdir()
    unset = {"ORT_DISABLE_TELEMETRY", "PYTHONDONTWRITEBYTECODE"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= {name: str(home) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
    process = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(model)],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout == "[0, 1] 1\n"
    assert process.stderr == ""
    assert list(home.rglob("*")) == []
