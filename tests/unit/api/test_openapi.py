import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from api.app import create_app
from api.openapi import OpenApi
from api.serving.served_model import ServedModelHolder
from shared.schema.features import Feature
from shared.schema.schema import Kind, Schema
from shared.settings import Settings
from shared.versions.onnx_model import OnnxModel
from tests.support.contract import JOB_FIELDS
from tests.support.titanic import EXAMPLES, FEATURES, Passenger, served_model
from tests.unit.api.conftest import Start, lifespan_of

_APP = create_app(Settings(_env_file=None), lifespan_of(Path("nowhere")))
with TestClient(_APP) as _client:
    OPENAPI: dict[str, Any] = _client.get("/openapi.json").json()

CONTRACT = {
    ("post", "/predict"): {"200", "408", "413", "415", "422", "503"},
    ("put", "/run-pipeline"): {"202", "401", "403", "422", "503"},
    ("get", "/jobs"): {"200", "422", "503"},
    ("get", "/jobs/{job_id}"): {"200", "404", "503"},
    ("delete", "/jobs/{job_id}"): {"202", "401", "403", "404", "409", "503"},
    ("get", "/jobs/{job_id}/events"): {"200", "204", "404", "503"},
    ("get", "/models"): {"200", "503"},
    ("get", "/models/{model_version}"): {"200", "404", "409", "503"},
    ("get", "/models/{model_version}/plots/{plot}"): {"200", "404", "409", "503"},
    ("get", "/processes"): {"200", "503"},
    ("put", "/models/current"): {
        *("200", "400", "401", "403", "404", "408", "409", "413", "415", "422", "503"),
    },
    ("get", "/health/live"): {"200"},
    ("get", "/health/ready"): {"200", "503"},
    ("get", "/metrics"): {"200", "401", "403"},
    ("get", "/v2"): {"200", "503"},
    ("get", "/v2/health/live"): {"200"},
    ("get", "/v2/health/ready"): {"200", "503"},
}
for model in ("/v2/models/{name}", "/v2/models/{name}/versions/{model_version}"):
    CONTRACT["get", model] = CONTRACT["get", f"{model}/ready"] = {"200", "404", "503"}
    CONTRACT["post", f"{model}/infer"] = {"200", "400", "404", "408", "413", "415", "503"}


def operation(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = OPENAPI["paths"][path][method]
    return found


def resolve(reference: str) -> Any:
    """What a reference points to, as a reader of the whole document finds it."""
    assert reference.startswith("#/")
    node: Any = OPENAPI
    for part in reference[2:].split("/"):
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from references(child)


def schema_of(answer: dict[str, Any]) -> dict[str, Any]:
    (content,) = answer["content"].values()
    schema: dict[str, Any] = content["schema"]
    return resolve(schema["$ref"]) if "$ref" in schema else schema


def test_every_call_of_the_contract_is_documented_and_no_other() -> None:
    documented = {(method, path) for path, calls in OPENAPI["paths"].items() for method in calls}
    assert documented == set(CONTRACT)


@pytest.mark.parametrize(("method", "path"), CONTRACT)
def test_every_status_of_a_call_is_documented(method: str, path: str) -> None:
    documented = set(operation(method, path)["responses"])
    assert CONTRACT[method, path] <= documented


@pytest.mark.parametrize(("method", "path"), CONTRACT)
def test_every_error_has_a_body_with_a_detail(method: str, path: str) -> None:
    for status, answer in operation(method, path)["responses"].items():
        assert answer["description"]
        if status >= "400" and path != "/health/ready":
            word = "error" if path.startswith("/v2") and status != "422" else "detail"
            assert word in schema_of(answer)["properties"]


def test_every_reference_leads_somewhere() -> None:
    found = set(references(OPENAPI))
    assert found
    lost = []
    for reference in found:
        try:
            resolve(reference)
        except KeyError:
            lost.append(reference)
    assert lost == []


def test_the_body_of_a_prediction_is_documented_field_by_field() -> None:
    body = operation("post", "/predict")["requestBody"]
    assert body["required"] is True
    schema = body["content"]["application/json"]["schema"]
    assert schema["type"] == "array"
    passenger = schema["items"]
    passenger = resolve(passenger["$ref"]) if "$ref" in passenger else passenger
    assert list(passenger["properties"]) == [feature.name for feature in FEATURES]
    assert passenger["required"] == ["Sex"]
    assert passenger["additionalProperties"] is False
    assert passenger["properties"]["Sex"]["enum"] == ["male", "female"]
    (age,) = [choice for choice in passenger["properties"]["Age"]["anyOf"] if "maximum" in choice]
    assert (age["minimum"], age["maximum"]) == (0, 120)


def test_the_example_of_a_prediction_is_the_original_clients_and_works() -> None:
    content = operation("post", "/predict")["requestBody"]["content"]["application/json"]
    assert content["example"] == EXAMPLES
    assert TypeAdapter(list[Passenger]).validate_json(json.dumps(content["example"]))


@pytest.mark.parametrize(
    ("method", "path", "status", "fields"),
    [
        (
            *("post", "/predict", "200"),
            {"predictions", "probabilities", "model_version"},
        ),
        ("put", "/run-pipeline", "202", {"job_id", "status", "status_url"}),
        ("get", "/jobs", "200", {"jobs"}),
        (
            "get",
            "/jobs/{job_id}",
            "200",
            JOB_FIELDS,
        ),
        ("get", "/models", "200", {"serving", "versions"}),
        ("get", "/processes", "200", {"processes"}),
        ("put", "/models/current", "200", {"model_version", "kept"}),
        (
            "get",
            "/health/ready",
            "200",
            {
                "status",
                "model_version",
                "redis",
                "redis_error",
                "store_error",
                "version",
                "revision",
            },
        ),
        (
            "get",
            "/health/ready",
            "503",
            {
                "status",
                "model_version",
                "redis",
                "redis_error",
                "store_error",
                "version",
                "revision",
            },
        ),
    ],
)
def test_an_answer_has_the_fields_that_clients_rely_on(
    method: str, path: str, status: str, fields: set[str]
) -> None:
    assert set(schema_of(operation(method, path)["responses"][status])["properties"]) == fields


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/jobs/{job_id}/events", "text/event-stream"),
        ("/metrics", "text/plain"),
        ("/models/{model_version}/plots/{plot}", "image/svg+xml"),
    ],
)
def test_what_is_no_json_says_what_it_is(path: str, kind: str) -> None:
    assert list(operation("get", path)["responses"]["200"]["content"]) == [kind]


@pytest.mark.parametrize(
    ("method", "path", "names"),
    [
        ("put", "/run-pipeline", ["force", "X-Requested-By"]),
        ("get", "/models/{model_version}/plots/{plot}", ["model_version", "plot"]),
        ("get", "/jobs", ["limit"]),
        ("get", "/jobs/{job_id}/events", ["job_id", "last-event-id"]),
    ],
)
def test_the_parameters_of_a_call_are_documented(method: str, path: str, names: list[str]) -> None:
    assert [given["name"] for given in operation(method, path)["parameters"]] == names


def test_the_choice_of_a_model_has_a_body() -> None:
    body = operation("put", "/models/current")["requestBody"]
    assert body["required"] is True
    assert schema_of(body)["required"] == ["model_version"]
    assert schema_of(body)["additionalProperties"] is False


def test_the_answer_to_a_choice_always_says_whether_it_is_kept_and_may_grow() -> None:
    answer = schema_of(operation("put", "/models/current")["responses"]["200"])
    assert answer["required"] == ["model_version", "kept"]
    assert answer["properties"]["kept"]["type"] == "boolean"
    assert answer.get("additionalProperties", True) is True


def test_before_there_is_a_model_the_routes_are_documented_all_the_same(start: Start) -> None:
    document = start(holder=ServedModelHolder()).get("/openapi.json").json()
    assert document["paths"].keys() == OPENAPI["paths"].keys()
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"]["items"] == {"type": "object"}


CLASSES: dict[Kind, tuple[str, ...]] = {
    **{Kind.BINARY: ("no", "yes"), Kind.MULTICLASS: ("x", "y", "z"), Kind.REGRESSION: ()}
}


@pytest.mark.parametrize("kind", Kind)
def test_the_document_is_that_of_the_served_versions_kind(start: Start, kind: Kind) -> None:
    classes = CLASSES[kind]
    positive = "yes" if kind is Kind.BINARY else None
    schema = Schema(
        record="Thing",
        features=(Feature(name="a b", kind="number", required=True, minimum=1, whole=True),),
        **{"target": "t", "kind": kind, "classes": classes, "positive": positive},
    )
    model = cast(OnnxModel, object())
    holder = ServedModelHolder()
    client = start(holder=holder)
    describe = OpenApi(cast(Any, client.app)._api).of
    holder.current = served_model("20260102-030405-abcdef", model, schema, describe)
    document = client.get("/openapi.json").json()
    predict = document["paths"]["/predict"]["post"]
    (sent,) = predict["requestBody"]["content"].values()
    assert sent["schema"]["items"]["properties"]["a b"]["minimum"] == 1
    assert sent["example"] == [{"a b": 1}]
    assert (predict["x-label"], predict["x-kind"]) == ("t", kind)
    assert predict["x-classes"] == list(classes)
    answer = document["components"]["schemas"]["Predictions"]
    assert answer["properties"].keys() == {*answer["required"]}
    assert ("classes" in answer["properties"]) == bool(classes)
    tensors = json.dumps(document["paths"]["/v2/models/{name}/infer"]["post"]["requestBody"])
    assert "a b" in tensors
