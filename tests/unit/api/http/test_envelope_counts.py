import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from api.http.fast_path import FastPath
from api.http.intake import Intake
from api.telemetry.metrics import ANSWERED


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()

    @app.get("/measured/{thing}")
    async def get_thing(thing: int, response: Response) -> int:
        response.status_code = thing
        return thing

    @app.get("/broken")
    async def get_broken() -> None:
        raise RuntimeError("a bug")

    return TestClient(FastPath(app, [], Intake(1000)), raise_server_exceptions=False)


def requests(route: str, status: int) -> float:
    labels = {"method": "GET", "route": route, "status": str(status)}
    ANSWERED.flush()
    return REGISTRY.get_sample_value("lifeboat_http_requests_total", labels) or 0


def timed(route: str) -> float:
    name = "lifeboat_http_request_duration_seconds_count"
    ANSWERED.flush()
    return REGISTRY.get_sample_value(name, {"route": route}) or 0


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/measured/200", "/measured/{thing}", 200),
        ("/measured/404", "/measured/{thing}", 404),
        ("/measured/nothing", "/measured/{thing}", 422),
        ("/broken", "/broken", 500),
        # A series for each path that somebody tries would have no end.
        ("/no/such/path", "none", 404),
    ],
)
def test_a_request_is_counted_and_timed_by_its_route_and_status(
    client: TestClient, path: str, route: str, status: int
) -> None:
    counted, measured = requests(route, status), timed(route)
    assert client.get(path).status_code == status
    assert requests(route, status) == counted + 1
    assert timed(route) == measured + 1
