"""Which id a request has; every answer says it, on FastAPI's way and on the fast path."""

import logging
from typing import cast

import pytest
import redis
from fastapi import APIRouter, FastAPI, Request
from fastapi.testclient import TestClient

from api.http.fast_path import FastPath
from api.http.intake import Intake
from api.serving.served_model import ServedModelHolder
from shared.jobs.job import Job
from shared.jobs.store import JobStore, Origin
from shared.runtime import log_context
from tests.support.titanic import EXAMPLES
from tests.unit.api.conftest import Start

HEADER = "X-Request-ID"
JOB_ID = "a" * 32

ANSWERS = [
    ("POST", "/predict", 422),
    ("POST", "/v2/models/lifeboat/infer", 400),
    ("GET", "/predict", 405),
    ("GET", "/health/live", 200),
    ("GET", "/jobs", 503),
    ("GET", "/none", 404),
    ("GET", "/docs", 200),
    ("PUT", "/models/current", 422),
]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_every_answer_has_the_id_that_the_client_gave(
    client: TestClient, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path, content=b"[1]", headers={HEADER: "a-B_3.c"})
    assert answer.status_code == status
    assert answer.headers.get_list(HEADER) == ["a-B_3.c"]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_or_one_of_its_own(client: TestClient, method: str, path: str, status: int) -> None:
    ids = {client.request(method, path, content=b"[1]").headers[HEADER] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    "given", ["", "a b", "a,b", "x" * 65, "a/b", 'a"b', "\u00e9".encode("latin-1"), b"a\tb"]
)
def test_an_id_of_other_characters_is_not_taken(client: TestClient, given: str | bytes) -> None:
    for path in ("/predict", "/none"):
        answer = client.post(path, json=EXAMPLES, headers=[(HEADER.encode(), _bytes(given))])
        (made,) = answer.headers.get_list(HEADER)
        assert made.isalnum() and made.encode() != _bytes(given)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def test_the_longest_id_is_taken(client: TestClient) -> None:
    assert client.get("/none", headers={HEADER: "x" * 64}).headers[HEADER] == "x" * 64


def test_the_answers_to_bugs_and_to_too_much_have_it(start: Start) -> None:
    bug = start(models=None).get("/models", headers={HEADER: "bug"})
    assert (bug.status_code, bug.headers[HEADER]) == (500, "bug")
    asked = start(holder=ServedModelHolder()).post("/predict", json=[], headers={HEADER: "early"})
    assert (asked.status_code, asked.headers[HEADER]) == (503, "early")


class NotedJobs:
    def __init__(self) -> None:
        self.origins: list[Origin] = []

    def create(self, *, force: bool, origin: Origin) -> tuple[Job, bool]:
        self.origins.append(origin)
        raise redis.ConnectionError("10.1.2.3 refused")


def test_a_run_is_noted_with_the_id_of_the_call(start: Start) -> None:
    jobs = NotedJobs()
    client = start(jobs=cast(JobStore, jobs))
    client.put("/run-pipeline", headers={HEADER: "asked"})
    client.put("/run-pipeline")
    assert jobs.origins[0] == Origin(request_id="asked")
    assert jobs.origins[1].request_id not in ("asked", None)


# --- log lines -----------------------------------------------------------------------------------


def _logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str | None]]:
    return [
        (record.levelname, record.getMessage(), getattr(record, "job_id", None))
        for record in caplog.records
        if record.name.startswith("api.")
    ]


@pytest.mark.parametrize(
    ("method", "path", "logged"),
    [
        ("PUT", "/models/current", [("INFO", "PUT /models/current: 422", None)]),
        ("PUT", "/none%0Aforged", [("INFO", "PUT no route: 404", None)]),
        ("POST", "/predict", []),
        ("GET", "/models", []),
        ("GET", f"/models/{'x' * 20}", []),
    ],
)
def test_a_call_that_would_change_something_is_logged_by_its_route(
    client: TestClient,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    logged: list[tuple[str, str, str | None]],
) -> None:
    caplog.set_level(logging.INFO)
    client.request(method, path, content=b"[1]")
    assert _logged(caplog) == logged


def test_without_redis_a_call_is_logged_with_its_job(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client.delete(f"/jobs/{JOB_ID}")
    warning, call = _logged(caplog)
    assert warning[0] == "WARNING"
    assert warning[1].startswith("DELETE /jobs/{job_id}: Redis did not answer")
    assert call == ("INFO", "DELETE /jobs/{job_id}: 503", JOB_ID)


def test_a_jobs_id_that_is_none_is_not_logged(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client.delete("/jobs/forged")
    assert _logged(caplog)[-1][2] is None


def test_a_bug_is_logged_as_a_warning_of_its_call(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    start(models=None).get("/models")
    assert _logged(caplog) == [("WARNING", "GET /models: 500", None)]


router = APIRouter()


@router.post("/bug")
async def post_bug(request: Request) -> None:
    raise RuntimeError("a bug")


def test_a_bug_on_the_fast_path_is_logged_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[str | None] = []

    def see(_: logging.LogRecord) -> bool:
        seen.append(log_context.request_id.get())
        return True

    caplog.handler.addFilter(see)
    api = FastAPI()
    api.include_router(router)
    client = TestClient(FastPath(api, router.routes, Intake(1000)))
    answer = client.post("/bug", headers={HEADER: "bug"})
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert answer.headers[HEADER] == "bug"
    (record,) = [record for record in caplog.records if record.name.startswith("api.")]
    assert record.levelname == "ERROR" and record.exc_info and "POST /bug" in record.getMessage()
    assert seen[caplog.records.index(record)] == "bug"
