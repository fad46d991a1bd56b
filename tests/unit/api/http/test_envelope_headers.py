"""What answers tell browsers, on FastAPI's way and on the fast path."""

import pytest
from fastapi.testclient import TestClient

from api.serving.served_model import ServedModelHolder
from tests.support.titanic import EXAMPLES
from tests.unit.api.conftest import Start

PAGES = ["/", "/docs"]
OTHERS = [
    ("GET", "/none", 404),
    ("GET", "/redoc", 404),
    ("GET", "/docs/swagger-ui-bundle.js", 200),
    ("GET", "/page/none.js", 404),
    ("GET", "/page/main.js", 200),
    ("GET", "/models", 200),
    ("GET", "/jobs", 503),
    ("GET", "/metrics", 200),
    ("GET", "/predict", 405),
    ("PUT", "/models/current", 422),
    ("POST", "/predict", 422),
    ("POST", "/v2/models/lifeboat/infer", 400),
]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_framed_by_nobody_and_tells_nobody_where_it_leads_from(
    client: TestClient, path: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(("method", "path", "status"), OTHERS)
def test_every_answer_is_what_it_says_it_is(
    client: TestClient, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path, content=b"[1]")
    assert answer.status_code == status
    assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]


def test_so_is_a_prediction_and_its_refusal_for_want_of_a_model(
    client: TestClient, start: Start
) -> None:
    for asked in (client, start(holder=ServedModelHolder())):
        answer = asked.post("/predict", json=EXAMPLES)
        assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]


def test_so_is_the_answer_to_a_bug(start: Start) -> None:
    answer = start(models=None).get("/models")
    assert answer.status_code == 500
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/docs", "/predict", "/run-pipeline", "/models/current"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_another_sites_preflight_gets_no_leave(client: TestClient, method: str, path: str) -> None:
    headers = {
        "Origin": "https://elsewhere.example",
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type, x-api-key",
    }
    preflight = client.options(path, headers=headers)
    assert preflight.status_code in (404, 405)
    answer = client.request(method, path, headers=headers, content=b"[]")
    for asked in (preflight, answer):
        assert not [name for name in asked.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("path", ["/predict/", "/models/", "/run-pipeline/", "/jobs/"])
def test_no_answer_leads_to_the_host_that_a_request_names(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"Host": "elsewhere.example"}, follow_redirects=False)
    assert answer.status_code == 404
    assert "Location" not in answer.headers
