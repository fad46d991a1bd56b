from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from api.http.fast_path import FastPath
from api.http.intake import Intake


class Known(Exception):
    pass


class Nearer(Known):
    pass


router = APIRouter()


@router.post("/fast")
async def post_fast(request: Request) -> Response:
    # FastAPI's own way leaves its traces in the scope.
    way = "slow" if "router" in request.scope else "fast"
    return PlainTextResponse(f"{way} {request.scope['body'].decode()}")


@router.post("/known")
async def post_known(request: Request) -> Response:
    raise Nearer("oh")


@router.post("/unknown")
async def post_unknown(request: Request) -> Response:
    raise RuntimeError("a bug")


@pytest.fixture(scope="module")
def client() -> TestClient:
    api = FastAPI()
    api.include_router(router)

    async def answer(_: Request, error: Exception) -> Response:
        return PlainTextResponse(f"known: {error}", 418)

    api.add_exception_handler(Known, answer)
    return TestClient(FastPath(api, router.routes, Intake(1000)), raise_server_exceptions=False)


def counted(route: str, status: int) -> float:
    labels = {"method": "POST", "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("lifeboat_http_requests_total", labels) or 0


def test_its_routes_are_called_directly(client: TestClient) -> None:
    before = counted("/fast", 200)
    assert client.post("/fast", content="body").text == "fast body"
    assert counted("/fast", 200) == before + 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/fast", 405), ("POST", "/none", 404), ("GET", "/openapi.json", 200)],
)
def test_everything_else_is_fastapis(
    client: TestClient, method: str, path: str, status: int
) -> None:
    assert client.request(method, path).status_code == status


def test_its_routes_are_documented(client: TestClient) -> None:
    paths: dict[str, Any] = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/fast", "/known", "/unknown"}


def test_an_error_is_answered_by_the_handler_of_its_nearest_class(client: TestClient) -> None:
    before = counted("/known", 418)
    answer = client.post("/known")
    assert (answer.status_code, answer.text) == (418, "known: oh")
    assert counted("/known", 418) == before + 1


def test_an_error_that_nobody_handles_is_the_servers_and_counted(client: TestClient) -> None:
    before = counted("/unknown", 500)
    assert client.post("/unknown").status_code == 500
    assert counted("/unknown", 500) == before + 1
