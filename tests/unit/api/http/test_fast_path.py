from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.middleware import Middleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY
from starlette.routing import Mount

from api.http.fast_path import FastPath
from api.http.intake import Intake
from api.http.key import ApiKeyRequired, KeyCheck
from api.telemetry.metrics import ANSWERED


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
    ANSWERED.flush()
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


# --- what it would skip --------------------------------------------------------------------------


async def needed() -> None:
    return None


async def post_plainly(request: Request) -> Response:
    return PlainTextResponse("plain")


async def post_with_more(request: Request, limit: int = 0) -> Response:
    return PlainTextResponse("more")


async def post_with_a_dependency(request: Request, it: None = Depends(needed)) -> Response:
    return PlainTextResponse("dependency")


def post_in_a_thread(request: Request) -> Response:
    return PlainTextResponse("thread")


def start_with(
    endpoint: Any = post_plainly, path: str = "/", api: FastAPI | None = None, **options: Any
) -> FastPath:
    routes = APIRouter()
    routes.add_api_route(path, endpoint, methods=["POST"], **options)
    api = api or FastAPI()
    api.include_router(routes)
    return FastPath(api, routes.routes, Intake(1000), KeyCheck(["sesame"]))


@pytest.mark.parametrize(
    ("skipped", "options"),
    [
        ("dependencies", {"dependencies": [Depends(needed)]}),
        ("dependencies", {"dependencies": [ApiKeyRequired, Depends(needed)]}),
        ("dependencies", {"api": FastAPI(dependencies=[Depends(needed)])}),
        ("middleware", {"api": FastAPI(middleware=[Middleware(GZipMiddleware)])}),
        ("path parameters", {"path": "/{name}"}),
        ("parameters of its handler", {"endpoint": post_with_more}),
        ("parameters of its handler", {"endpoint": post_with_a_dependency}),
        ("a response class", {"response_class": PlainTextResponse}),
        ("a status code", {"status_code": 201}),
        ("a plain function as its handler", {"endpoint": post_in_a_thread}),
    ],
)
def test_a_route_with_what_it_would_skip_is_refused_at_the_start(
    skipped: str, options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=f"would skip .*{skipped}"):
        start_with(**options)


def test_what_an_including_router_adds_is_not_skipped_either() -> None:
    routes, api = APIRouter(), FastAPI()
    routes.add_api_route("/", post_plainly, methods=["POST"])
    api.include_router(routes, dependencies=[Depends(needed)])
    with pytest.raises(ValueError, match="would skip dependencies"):
        FastPath(api, routes.routes, Intake(1000))


@pytest.mark.parametrize(
    ("skipped", "options"), [("a prefix", {"prefix": "/v1"}), ("a limit", {"max_body_size": 10})]
)
def test_a_prefix_or_a_limit_of_an_including_router_is_refused(
    skipped: str, options: dict[str, Any]
) -> None:
    routes, api = APIRouter(), FastAPI()
    routes.add_api_route("/", post_plainly, methods=["POST"])
    api.include_router(routes, **options)
    with pytest.raises(ValueError, match=f"would skip {skipped}"):
        FastPath(api, routes.routes, Intake(1000))


def test_a_route_class_may_change_anything_and_is_refused() -> None:
    class Own(APIRoute):
        pass

    routes, api = APIRouter(route_class=Own), FastAPI()
    routes.add_api_route("/", post_plainly, methods=["POST"])
    api.include_router(routes)
    with pytest.raises(ValueError, match="would skip a route class"):
        FastPath(api, routes.routes, Intake(1000))


def test_a_mount_has_no_place_on_it() -> None:
    with pytest.raises(ValueError, match="routes of FastAPI alone"):
        FastPath(FastAPI(), [Mount("/files", app=FastAPI())], Intake(1000))


def test_a_key_that_its_route_needs_is_checked() -> None:
    client = TestClient(start_with(dependencies=[ApiKeyRequired]), raise_server_exceptions=False)
    assert client.post("/").status_code == 500  # This FastAPI has no handler for the refusal.
    assert client.post("/", headers={"X-API-Key": "sesame"}).text == "plain"
