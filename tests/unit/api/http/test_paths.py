"""What is known of a request by its path: methods, and how long its body may be."""

import pytest
from fastapi.testclient import TestClient

READ = [
    *("/", "/docs", "/page/main.js", "/docs/swagger-ui.css", "/openapi.json", "/health/live"),
    *("/health/ready", "/metrics", "/models", "/v2", "/v2/", "/v2/health/live", "/v2/health/ready"),
    *("/v2/models/lifeboat", "/v2/models/lifeboat/ready", "/jobs", "/jobs/none", "/processes"),
    *("/none", "/page/none.js", "/predict", "/run-pipeline", "/jobs/none/events"),
]


def test_head_is_get_without_a_body(client: TestClient) -> None:
    for path in READ:
        asked, told = client.get(path), client.head(path)
        assert (told.status_code, told.content) == (asked.status_code, b""), path
        for answer in (asked, told):
            assert answer.headers.pop("X-Request-ID")
            # Metrics change.
            answer.headers.pop("Content-Length", None)
        assert told.headers == asked.headers, path


ALLOWED = {
    "/predict": "POST",
    "/run-pipeline": "PUT",
    "/jobs": "GET, HEAD",
    "/jobs/none": "DELETE, GET, HEAD",
    "/jobs/none/events": "GET, HEAD",
    "/models": "GET, HEAD",
    "/models/20260102-030405-abcdef": "GET, HEAD",
    "/models/current": "PUT",
    "/models/current/plots/roc": "GET, HEAD",
    "/processes": "GET, HEAD",
    "/health/live": "GET, HEAD",
    "/metrics": "GET, HEAD",
    "/v2": "GET, HEAD",
    "/v2/": "GET, HEAD",
    "/v2/models/lifeboat": "GET, HEAD",
    "/v2/models/lifeboat/infer": "POST",
    "/v2/models/none/versions/none/infer/": "POST",
    "/": "GET, HEAD",
    "/docs": "GET, HEAD",
    "/docs/swagger-ui.css": "GET, HEAD",
    "/page/main.js": "GET, HEAD",
    "/openapi.json": "GET, HEAD",
}


def test_a_method_that_a_path_has_not_is_405_with_those_it_has(client: TestClient) -> None:
    for path, allowed in ALLOWED.items():
        for method in {"OPTIONS", "PATCH", "TRACE", "POST", "DELETE"} - {*allowed.split(", ")}:
            answer = client.request(method, path)
            assert (answer.status_code, answer.headers["Allow"]) == (405, allowed), (method, path)
            assert ("error" if path.startswith("/v2") else "detail") in answer.json(), path


def test_a_path_of_the_protocol_may_end_with_a_slash(client: TestClient) -> None:
    for path in ("/v2/", "/v2/health/live/", "/v2/models/lifeboat/ready/"):
        assert client.get(path).content == client.get(path.removesuffix("/")).content
        assert client.get(path).status_code == 200
        assert client.get(f"{path}/").status_code == 404


# --- bodies of calls that do not predict ---------------------------------------------------------


def test_a_call_that_does_not_predict_takes_few_bytes(client: TestClient) -> None:
    for method, path in [
        ("PUT", "/models/current"),
        ("PUT", "/run-pipeline"),
        ("GET", "/models"),
        ("DELETE", "/jobs/none"),
        ("POST", "/none"),
        ("GET", "/predict"),
    ]:
        answer = client.request(method, path, content=b"[" * 8193)
        assert answer.status_code == 413, path
        assert "does not predict" in answer.json()["detail"]
        assert client.request(method, path, content=b"[" * 8192).status_code != 413, path


def test_a_call_that_predicts_takes_many(client: TestClient) -> None:
    infer = "/v2/models/lifeboat/infer"
    for path in ("/predict", infer, f"{infer}/", "/v2/models/lifeboat/versions/none/infer"):
        assert client.post(path, content=b"[" * 100_000).status_code in (400, 404, 422), path


@pytest.mark.parametrize("content_type", [None, "application/x-www-form-urlencoded", "text/plain"])
def test_a_choice_is_json_whatever_its_type_says(
    client: TestClient, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    unknown = b'{"model_version": "20200101-000000-000000"}'
    assert client.put("/models/current", content=unknown, headers=headers).status_code == 404
    wrong = client.put("/models/current", content=b'{"version": 1}', headers=headers)
    assert wrong.status_code == 422
    assert wrong.json()["detail"][0]["loc"] == ["body", "model_version"]
