"""A client of the Open Inference Protocol that others wrote, against a real server."""

from collections.abc import Iterator

import numpy as np
import pytest
import tritonclient.http as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from shared.schema.columns import Columns
from tests.support.one_model import serving
from tests.support.processes import Api
from tests.support.titanic import FEATURES, to_columns, to_records

PASSENGERS: list[dict[str, object]] = [
    {
        "Age": 22.0,
        "Sex": "male",
        "Embarked": "S",
        "Pclass": 3,
        "SibSp": 1,
        "Parch": 0,
        "Fare": 7.25,
    },
    {"Age": 38.0, "Sex": "female", "Embarked": "C"},
    {"Sex": "female"},
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving(tmp_path_factory.mktemp("inference")) as api:
        yield api


@pytest.fixture(scope="module")
def client(api: Api) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(api.url.removeprefix("http://")) as client:
        yield client


def inputs(columns: Columns, *, binary: bool) -> list[triton.InferInput]:
    tensors = []
    for feature in FEATURES:
        column = columns[feature.name]
        datatype = "FP32" if feature.kind == "number" else "BYTES"
        tensor = triton.InferInput(feature.name, list(column.shape), datatype)
        tensor.set_data_from_numpy(column, binary_data=binary)
        tensors.append(tensor)
    return tensors


def probabilities(answer: triton.InferResult) -> NDArray[np.float32]:
    found: NDArray[np.float32] = answer.as_numpy("probabilities")
    return found


def complete(rows: int) -> Columns:
    """JSON has no NaN, so all fields are given."""
    return to_columns(to_records([PASSENGERS[0] | {"Age": 20 + i % 50} for i in range(rows)]))


def test_the_server_and_the_model_say_what_they_are(
    api: Api, client: triton.InferenceServerClient
) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("lifeboat")
    assert client.is_model_ready("lifeboat", api.version())
    assert not client.is_model_ready("other")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata("lifeboat")
    assert metadata["versions"] == [api.version()]
    assert [tensor["name"] for tensor in metadata["inputs"]] == [f.name for f in FEATURES]


@pytest.mark.parametrize("rows", [1, 5000])
@pytest.mark.parametrize("binary", [False, True])
def test_it_is_answered_as_predict_answers(
    api: Api, client: triton.InferenceServerClient, rows: int, binary: bool
) -> None:
    columns = complete(rows)
    wanted = [triton.InferRequestedOutput(n, binary) for n in ("label", "probabilities")]
    answer = client.infer("lifeboat", inputs(columns, binary=binary), outputs=wanted)
    records = [PASSENGERS[0] | {"Age": float(age)} for age in columns["Age"][:, 0]]
    expected = api.predict(*records).json()
    assert answer.as_numpy("label").tolist() == expected["predictions"]
    assert probabilities(answer) == pytest.approx(expected["probabilities"], abs=1e-7)
    assert answer.get_response()["model_version"] == expected["model_version"]


def test_missing_values_are_nan_and_empty_strings(
    api: Api, client: triton.InferenceServerClient
) -> None:
    columns = to_columns(to_records(PASSENGERS))
    answer = client.infer("lifeboat", inputs(columns, binary=True), model_version=api.version())
    expected = api.predict(*PASSENGERS).json()
    assert probabilities(answer) == pytest.approx(expected["probabilities"], abs=1e-7)


def test_an_error_reaches_the_client_in_words(client: triton.InferenceServerClient) -> None:
    wrong = {**complete(2), "Age": np.array([[30.0], [-1.0]], np.float32)}
    with pytest.raises(InferenceServerException, match="Age: row 1: expected a number at least 0"):
        client.infer("lifeboat", inputs(wrong, binary=True))
    with pytest.raises(InferenceServerException, match="unknown model"):
        client.infer("other", inputs(complete(1), binary=True))
