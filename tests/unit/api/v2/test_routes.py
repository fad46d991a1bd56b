"""The Open Inference Protocol v2, as a client of it sees the application."""

import json
import struct
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.serving.served_model import ServedModelHolder
from api.v2.messages import example, inputs
from tests.support.titanic import EXAMPLES, FEATURES, SCHEMA
from tests.unit.api.conftest import Start

INFER = "/v2/models/lifeboat/infer"
VERSION = "20260102-030405-abcdef"
VERSIONED = f"/v2/models/lifeboat/versions/{VERSION}"
BINARY = {"binary_data_output": True}
EXAMPLE = example(SCHEMA)
NUMBERS = [feature.name for feature in FEATURES if feature.kind == "number"]


def tensor(name: str, data: list[Any], **changes: Any) -> dict[str, Any]:
    datatype = "FP32" if name in NUMBERS else "BYTES"
    return {"name": name, "shape": [len(data)], "datatype": datatype, "data": data} | changes


def infer(client: TestClient, *inputs: dict[str, Any], **request: Any) -> httpx.Response:
    # Not `json=`, which could not send NaN.
    return client.post(INFER, content=json.dumps({"inputs": inputs, **request}))


def outputs(answer: httpx.Response) -> dict[str, list[float]]:
    assert answer.status_code == 200, answer.text
    return {output["name"]: output["data"] for output in answer.json()["outputs"]}


def refused(answer: httpx.Response) -> str:
    assert answer.status_code == 400, answer.text
    (message,) = answer.json().values()
    return str(message)


def with_binary(*tensors: tuple[dict[str, Any], bytes], **request: Any) -> tuple[bytes, str]:
    """The body, and how long its JSON is."""
    inputs = []
    for described, data in tensors:
        described = {name: value for name, value in described.items() if name != "data"}
        inputs.append(described | {"parameters": {"binary_data_size": len(data)}})
    head = json.dumps({"inputs": inputs, **request}).encode()
    return head + b"".join(data for _, data in tensors), str(len(head))


def infer_binary(
    client: TestClient, *tensors: tuple[dict[str, Any], bytes], **request: Any
) -> httpx.Response:
    body, length = with_binary(*tensors, **request)
    return client.post(INFER, content=body, headers={"Inference-Header-Content-Length": length})


def strings(*values: str) -> bytes:
    return b"".join(struct.pack("<I", len(value)) + value.encode() for value in values)


SEX = (tensor("Sex", ["male", "female"]), strings("male", "female"))


# --- who is there --------------------------------------------------------------------------------


def test_the_server_names_itself_and_its_extensions(client: TestClient) -> None:
    server = client.get("/v2").json()
    assert server["name"] == "lifeboat"
    assert server["extensions"] == ["binary_tensor_data"]
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}


@pytest.mark.parametrize("path", ["/v2/models/lifeboat", VERSIONED])
def test_the_model_names_its_version_and_tensors(client: TestClient, path: str) -> None:
    model = client.get(path).json()
    assert (model["name"], model["versions"]) == ("lifeboat", [VERSION])
    assert model["inputs"] == inputs(SCHEMA)
    assert [t["name"] for t in model["inputs"]] == [feature.name for feature in FEATURES]
    assert [t["datatype"] for t in model["outputs"]] == ["INT64", "FP32"]
    assert client.get(f"{path}/ready").json() == {"name": "lifeboat", "ready": True}


@pytest.mark.parametrize("call", ["", "/ready", "/infer"])
@pytest.mark.parametrize(
    "model", ["other", "lifeboat/versions/20260102-030405-ffffff", "%2e%2e%2fetc"]
)
def test_what_is_not_served_is_not_found(client: TestClient, model: str, call: str) -> None:
    method = "POST" if call == "/infer" else "GET"
    answer = client.request(method, f"/v2/models/{model}{call}", json=EXAMPLE)
    assert answer.status_code == 404
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v2/health/ready"), ("GET", "/v2/models/lifeboat/ready"), ("POST", INFER)],
)
def test_without_a_model_it_is_not_ready(start: Start, method: str, path: str) -> None:
    answer = start(holder=ServedModelHolder()).request(method, path, json=EXAMPLE)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "PUT /run-pipeline" in answer.json()["error"]


# --- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [INFER, f"{VERSIONED}/infer"])
def test_tensors_get_the_answer_that_records_get(client: TestClient, path: str) -> None:
    records = client.post("/predict", json=EXAMPLES).json()
    answer = client.post(path, json=EXAMPLE)
    assert outputs(answer) == {
        "label": records["predictions"],
        "probabilities": records["probabilities"],
    }
    assert answer.json()["model_version"] == answer.headers["X-Model-Version"] == VERSION
    assert [output["shape"] for output in answer.json()["outputs"]] == [[2], [2]]


def test_a_large_request_is_answered_as_a_small_one_is(client: TestClient) -> None:
    rows = 10_000
    large = infer(client, tensor("Sex", ["male"] * rows), tensor("Age", [30.0] * rows))
    small = infer(client, tensor("Sex", ["male"]), tensor("Age", [30.0]))
    assert outputs(large)["probabilities"] == outputs(small)["probabilities"] * rows


def test_the_id_comes_back(client: TestClient) -> None:
    assert infer(client, tensor("Sex", ["male"]), id="seven").json()["id"] == "seven"
    assert "id" not in infer(client, tensor("Sex", ["male"])).json()


def test_no_rows_get_no_predictions(client: TestClient) -> None:
    answer = infer(client, tensor("Sex", [], shape=[0, 1]))
    assert outputs(answer) == {"label": [], "probabilities": []}


def test_a_tensor_may_be_written_row_by_row(client: TestClient) -> None:
    flat = infer(client, tensor("Sex", ["male", "female"]), tensor("Age", [3, 60.5]))
    nested = infer(
        client,
        tensor("Sex", [["male"], ["female"]], shape=[2, 1]),
        tensor("Age", [[3], [60.5]], shape=[2, 1]),
    )
    assert outputs(nested) == outputs(flat)


def test_what_is_missing_is_imputed_however_that_is_said(client: TestClient) -> None:
    sex = tensor("Sex", ["male"])
    absent = outputs(infer(client, sex))
    assert outputs(infer(client, sex, tensor("Age", [None]), tensor("Embarked", [None]))) == absent
    assert outputs(infer(client, sex, tensor("Embarked", [""]))) == absent
    nan = infer_binary(
        client,
        (sex, strings("male")),
        (tensor("Age", [0]), struct.pack("<f", float("nan"))),
        (tensor("Embarked", [""]), strings("")),
    )
    assert outputs(nan) == absent


@pytest.mark.parametrize(
    "datatype", [f"{kind}{bits}" for kind in ("INT", "UINT") for bits in (8, 16, 32, 64)]
)
def test_whole_numbers_come_in_any_integer_type(client: TestClient, datatype: str) -> None:
    sex = (tensor("Sex", ["male"]), strings("male"))
    data = np.array([3], datatype.lower()).tobytes()
    answer = infer_binary(client, sex, (tensor("Pclass", [3], datatype=datatype), data))
    expected = outputs(infer(client, sex[0], tensor("Pclass", [3.0])))
    assert outputs(answer) == expected


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64"])
def test_numbers_come_in_any_floating_type(client: TestClient, datatype: str) -> None:
    data = np.array([22.5, 38.0], datatype.lower().replace("fp", "float")).tobytes()
    answer = infer_binary(client, SEX, (tensor("Age", [0, 0], datatype=datatype), data))
    assert outputs(answer) == outputs(infer(client, SEX[0], tensor("Age", [22.5, 38.0])))


def test_outputs_come_as_binary_data_where_that_is_asked_for(client: TestClient) -> None:
    expected = outputs(infer(client, SEX[0]))
    answer = infer(client, SEX[0], parameters=BINARY)
    length = int(answer.headers["Inference-Header-Content-Length"])
    assert answer.headers["Content-Type"] == "application/octet-stream"
    head = json.loads(answer.content[:length])
    assert [o["parameters"]["binary_data_size"] for o in head["outputs"]] == [16, 8]
    assert "data" not in head["outputs"][0]
    data = answer.content[length:]
    assert np.frombuffer(data[:16], "<i8").tolist() == expected["label"]
    probabilities = np.frombuffer(data[16:], "<f4")
    assert probabilities == pytest.approx(expected["probabilities"], abs=1e-7)


def test_only_the_outputs_asked_for_come(client: TestClient) -> None:
    wanted = [{"name": "probabilities"}]
    assert list(outputs(infer(client, SEX[0], outputs=wanted))) == ["probabilities"]
    mixed = [{"name": "label", "parameters": {"binary_data": False}}, *wanted]
    answer = infer(client, SEX[0], outputs=mixed, parameters=BINARY)
    length = int(answer.headers["Inference-Header-Content-Length"])
    label, probabilities = json.loads(answer.content[:length])["outputs"]
    assert label["data"] == [0, 1]
    assert probabilities["parameters"] == {"binary_data_size": 8}


def test_what_is_not_known_of_parameters_is_passed_over(client: TestClient) -> None:
    answer = infer(client, tensor("Sex", ["male"], parameters={"content_type": "str"}))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "nulls",
    [
        {"id": None, "parameters": None},
        {"outputs": None},
        {"outputs": [{"name": "label", "parameters": None}, {"name": "probabilities"}]},
        {"parameters": {"binary_data_output": None}},
        {
            "outputs": [
                {"name": "label", "parameters": {"binary_data": None, "classification": None}},
                {"name": "probabilities", "parameters": {}},
            ]
        },
    ],
)
@pytest.mark.parametrize("given", [None, {"binary_data_size": None}])
def test_null_is_absent_as_mlservers_client_writes_it(
    client: TestClient, nulls: dict[str, Any], given: dict[str, Any] | None
) -> None:
    answer = infer(client, SEX[0] | {"parameters": given}, **nulls)
    assert outputs(answer) == outputs(infer(client, SEX[0]))
    assert "id" not in answer.json()


def test_data_that_is_null_is_absent(client: TestClient) -> None:
    assert "got neither" in refused(infer(client, SEX[0] | {"data": None}))
    body, length = with_binary(SEX)
    head = body[: int(length)].replace(b'"parameters"', b'"data": null, "parameters"')
    header = {"Inference-Header-Content-Length": str(len(head))}
    answer = client.post(INFER, content=head + body[int(length) :], headers=header)
    assert outputs(answer) == outputs(infer(client, SEX[0]))


@pytest.mark.parametrize("name", ["inputs", "name", "shape", "datatype"])
def test_what_is_needed_cannot_be_null(client: TestClient, name: str) -> None:
    changes = {name: None}
    body = {"inputs": [SEX[0] | changes]} | (changes if name == "inputs" else {})
    assert "not an inference request" in refused(client.post(INFER, json=body))


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("Age", [30, 121], r"input Age: data[1]: expected a number at least 0 and at most 120"),
        ("Age", [30, -1], "data[1]"),
        ("Age", [30, "31"], "data[1]"),
        ("Age", [True, 30], "data[0]"),
        ("Age", [30, {}], "data[1]"),
        ("Age", [[30], [[31]]], "data[1][0]"),
        ("Age", {"0": 30}, "input Age: data: expected a number"),
        ("Pclass", [1, 2.5], "data[1]: expected a whole number"),
        ("Embarked", ["S", "secret"], "data[1]: expected one of 'C', 'Q', 'S'"),
        ("Embarked", ["S", 1], "data[1]"),
    ],
)
def test_a_wrong_value_is_named_and_never_repeated(
    client: TestClient, name: str, data: Any, message: str
) -> None:
    said = refused(infer(client, tensor("Sex", ["male"] * 2), tensor(name, data, shape=[2])))
    assert said.startswith(f"input {name}: ")
    assert message in said and "secret" not in said


@pytest.mark.parametrize("data", [[None], [""]])
def test_what_is_required_must_not_be_missing(client: TestClient, data: list[Any]) -> None:
    assert "data[0]" in refused(infer(client, tensor("Sex", data)))
    assert refused(infer(client, tensor("Age", [3]))) == (
        "input Sex: expected a tensor, got none; it is required"
    )


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("Age", struct.pack("<2f", 30, 121), "row 1: expected a number at least 0"),
        ("Age", struct.pack("<2f", float("inf"), 30), "row 0: expected a number"),
        ("Age", b"\0" * 8_000_000, "expected shape [2000000] or"),
        ("Embarked", b"\0" * 8_000_000, "at most 10 bytes for the rows of its shape"),
        (
            "Age",
            b"\0" * 7,
            "the size of one FP32 value; got 7 bytes",
        ),
        ("Age", struct.pack("<3f", 1, 2, 3), "expected shape [3] or [3, 1] for its data, got [2]"),
        ("Pclass", struct.pack("<2f", 1, 2.5), "row 1: expected a whole number"),
        ("Embarked", strings("S", "X"), "each one of 'C', 'Q', 'S'"),
        ("Embarked", strings("S", "C")[:-1], "expected a sequence of strings"),
        ("Embarked", b"\xff\xff\xff\xffS", "expected a sequence of strings"),
        ("Embarked", b"", "expected shape [0] or [0, 1] for its data, got [2]"),
    ],
)
def test_wrong_binary_data_is_named(
    client: TestClient, name: str, data: bytes, message: str
) -> None:
    said = refused(infer_binary(client, SEX, (tensor(name, [0, 0]), data)))
    assert said.startswith(f"input {name}: ") and message in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "age"}, "unknown input; the inputs are Age, Sex"),
        ({"name": "Sex"}, "expected one tensor, got two"),
        ({"datatype": "BYTES"}, "expected its datatype to be one of INT8"),
        ({"datatype": "BOOL"}, "expected its datatype to be one of INT8"),
        ({"shape": [3]}, "expected shape [2] or [2, 1] for its data, got [3]"),
        ({"shape": [1, 2]}, "expected shape [2] or [2, 1] for its data, got [1, 2]"),
        ({"shape": []}, "expected shape [2] or [2, 1] for its data, got []"),
        (
            {"parameters": {"binary_data_size": 8}},
            "binary_data_size to be a whole number of at most 0",
        ),
        (
            {"parameters": {"binary_data_size": -1}},
            "binary_data_size to be a whole number of at most 0",
        ),
        (
            {"parameters": {"binary_data_size": "8"}},
            "binary_data_size to be a whole number of at most 0",
        ),
    ],
)
def test_a_wrong_tensor_is_named(client: TestClient, changes: dict[str, Any], message: str) -> None:
    assert message in refused(infer(client, SEX[0], tensor("Age", [30, 31]) | changes))


def test_a_tensor_without_data_is_named(client: TestClient) -> None:
    without = {"name": "Age", "shape": [2], "datatype": "FP32"}
    assert "expected data or binary_data_size, got neither" in refused(
        infer(client, SEX[0], without)
    )


def test_tensors_of_different_lengths_are_named(client: TestClient) -> None:
    said = refused(infer(client, SEX[0], tensor("Age", [30])))
    assert "'Sex': 2" in said and "'Age': 1" in said


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ({"name": "score"}, "unknown output; the outputs are label, probabilities"),
        ({"name": "label", "parameters": {"classification": 2}}, "not supported"),
    ],
)
def test_a_wrong_output_is_named(client: TestClient, output: dict[str, Any], message: str) -> None:
    assert message in refused(infer(client, SEX[0], outputs=[output]))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"inputs": [NaN]}',
        b"{}",
        b'{"inputs": 3}',
        b"\xff",
        b'{"inputs": [{"name": "Age"}]}',
    ],
)
def test_a_body_that_is_no_inference_request_is_refused(client: TestClient, body: bytes) -> None:
    assert "the body is not an inference request" in refused(client.post(INFER, content=body))


@pytest.mark.parametrize("length", ["-1", "x", "", "1e2", "99999", "9" * 5000, "0" * 5000, "²"])
def test_a_wrong_length_of_the_json_is_refused(client: TestClient, length: str) -> None:
    header = [(b"Inference-Header-Content-Length", length.encode())]
    answer = client.post(INFER, json=EXAMPLE, headers=header)
    assert "Inference-Header-Content-Length" in refused(answer)


def test_data_that_belongs_to_no_tensor_is_refused(client: TestClient) -> None:
    body, length = with_binary(SEX)
    header = {"Inference-Header-Content-Length": length}
    answer = client.post(INFER, content=body + b"more", headers=header)
    assert "got 4 more bytes" in refused(answer)


def test_a_path_that_is_none_is_answered_in_the_protocols_words(client: TestClient) -> None:
    assert client.get("/v2/models").json() == {"error": "Not Found"}
    assert client.get("/v1/models").json() == {"detail": "Not Found"}
