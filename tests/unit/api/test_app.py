import hmac
import os
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.serving.served_model import ServedModelHolder
from shared.errors import JobEnded, JobNotFound, LifeboatError
from shared.jobs.job import Job, JobStatus
from shared.jobs.store import Origin
from shared.settings import Settings
from shared.versions.manifest import Plot
from tests.support.manifests import write_manifest
from tests.support.titanic import EXAMPLES
from tests.support.versions import PLOTS, publish
from tests.unit.api.conftest import Start
from tests.unit.shared.jobs.test_job import job

JOB_ID = "a" * 32
NEEDS_REDIS = [
    ("PUT", "/run-pipeline"),
    ("GET", "/jobs"),
    ("GET", f"/jobs/{JOB_ID}"),
    ("DELETE", f"/jobs/{JOB_ID}"),
    ("GET", f"/jobs/{JOB_ID}/events"),
    ("GET", "/processes"),
]


class FailingJobs:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def get(self, job_id: str) -> Job:
        raise self.error

    cancel = get


# --- predictions ---------------------------------------------------------------------------------


def test_a_prediction_names_its_version_in_body_and_header(client: TestClient) -> None:
    answer = client.post("/predict", json=EXAMPLES)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["predictions"] == [0, 1]
    assert answer.headers["X-Model-Version"] == answer.json()["model_version"]


@pytest.mark.parametrize("copies", [1, 5000])
def test_a_long_list_is_answered_as_a_short_one_is(client: TestClient, copies: int) -> None:
    answer = client.post("/predict", json=EXAMPLES * copies)
    assert answer.json()["predictions"] == [0, 1] * copies


@pytest.mark.parametrize("passengers", [1, 5000])
def test_a_bad_passenger_is_422_in_a_short_and_in_a_long_list(
    client: TestClient, passengers: int
) -> None:
    answer = client.post("/predict", json=[{"Sex": "male", "Age": -1}] * passengers)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", 0, "Age"]


def test_without_a_model_a_prediction_is_503_with_the_time_to_ask_again(start: Start) -> None:
    answer = start(holder=ServedModelHolder()).post("/predict", json=[])
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "PUT /run-pipeline" in answer.json()["detail"]


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), NEEDS_REDIS)
def test_without_redis_a_call_that_needs_it_is_503_and_tells_nothing_of_our_network(
    client: TestClient, method: str, path: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "Redis" in answer.json()["detail"] and "10.1.2.3" not in answer.text


def test_without_redis_the_models_are_listed_and_predictions_go_on(
    client: TestClient, models_dir: Path
) -> None:
    version = write_manifest(models_dir, "20260102-030405-abcdef")
    listed = client.get("/models").json()
    assert listed["serving"] == version
    assert [each["model_version"] for each in listed["versions"]] == [version]
    assert client.get(f"/models/{version}").json()["model_version"] == version
    assert client.post("/predict", json=EXAMPLES).status_code == 200
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()["redis"]) == (200, "down")


def test_without_redis_no_version_can_be_chosen(client: TestClient, models_dir: Path) -> None:
    version = publish(models_dir)
    answer = client.put("/models/current", json={"model_version": version})
    assert answer.status_code == 503


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (JobNotFound("there is no job"), 404),
        (JobEnded("it has ended"), 409),
        (LifeboatError("something else"), 500),
    ],
)
def test_an_error_is_answered_with_its_status_and_message(
    start: Start, error: LifeboatError, status: int
) -> None:
    answer = start(jobs=FailingJobs(error)).delete(f"/jobs/{JOB_ID}")
    assert answer.status_code == status
    assert answer.json() == {"detail": str(error)}


def test_a_bug_is_500_without_a_stack_trace(start: Start) -> None:
    answer = start(jobs=FailingJobs(RuntimeError("sesame"))).get(f"/jobs/{JOB_ID}")
    assert answer.status_code == 500
    assert "sesame" not in answer.text and "Traceback" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b'{"model_version": NaN}',
        b'{"model_version": 1e999}',
        b'{"model_version": "20260102-030405-abcdef", "\\ud800": 1}',
        b'{"model_version": "\\ud800"}',
        b'{"model_version": "\xff"}',
        b'{"model_version": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b"\xff",
        b"",
        b"[]",
    ],
)
def test_a_choice_that_is_no_json_of_ours_is_the_callers_mistake(
    client: TestClient, body: bytes
) -> None:
    answer = client.put(
        "/models/current", content=body, headers={"Content-Type": "application/json"}
    )
    assert 400 <= answer.status_code < 500
    assert answer.json()["detail"]


@pytest.mark.parametrize("version", ["..", "20200101-000000-000000", "%00", "x" * 5000, "a%0a"])
def test_a_version_that_is_not_there_is_404(client: TestClient, version: str) -> None:
    name = version.replace("..", "%2e%2e")
    assert client.get(f"/models/{name}").status_code == 404
    answer = client.put("/models/current", json={"model_version": version})
    assert answer.status_code == 404
    assert len(answer.content) < 500


def test_a_damaged_version_is_409(client: TestClient, models_dir: Path) -> None:
    version = publish(models_dir)
    (models_dir / version / "model.onnx").write_bytes(b"damaged")
    answer = client.put("/models/current", json={"model_version": version})
    assert answer.status_code == 409
    assert version in answer.json()["detail"]


# --- plots ---------------------------------------------------------------------------------------


def test_a_plot_is_an_image_that_stays_as_it_is_and_runs_nothing(
    client: TestClient, models_dir: Path
) -> None:
    version = publish(models_dir)
    (listed,) = client.get("/models").json()["versions"]
    assert listed["plots"] == [*PLOTS]
    for plot in listed["plots"]:
        answer = client.get(f"/models/{version}/plots/{plot}")
        assert (answer.status_code, answer.content) == (200, PLOTS[plot])
        assert answer.headers["Content-Type"] == "image/svg+xml"
        assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        assert answer.headers["Content-Security-Policy"] == policy


def test_a_plot_that_is_not_there_is_404_and_a_damaged_one_409(
    client: TestClient, models_dir: Path
) -> None:
    without, damaged = publish(models_dir, plots={}), publish(models_dir)
    (models_dir / damaged / Plot.ROC.file).write_bytes(b"<svg/>")
    newest, earlier = client.get("/models").json()["versions"]
    assert (newest["model_version"], earlier["plots"]) == (damaged, [])
    for version, plot, status in [
        (without, "roc", 404),
        (damaged, "nonsense", 404),
        ("20200101-000000-000000", "roc", 404),
        (damaged, "roc", 409),
    ]:
        answer = client.get(f"/models/{version}/plots/{plot}")
        assert (answer.status_code, "Cache-Control" in answer.headers) == (status, False)
        assert version in answer.json()["detail"]


# --- who asks for a run --------------------------------------------------------------------------


class NotingJobs:
    """Takes any request for a run, and remembers who asked."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    def create(self, *, force: bool, origin: Origin) -> tuple[Job, bool]:
        self.asked.append(origin.requested_by)
        return job(JobStatus.QUEUED), False


@pytest.mark.parametrize("name", [None, "page", "a", "ada@example", "!~" * 32, "first start"])
def test_who_asks_for_a_run_may_say_so(start: Start, name: str | None) -> None:
    jobs = NotingJobs()
    headers = {} if name is None else {"X-Requested-By": name}
    assert start(jobs=jobs).put("/run-pipeline", headers=headers).status_code == 202
    assert jobs.asked == [name]


@pytest.mark.parametrize("name", [b"", b"a" * 65, b"\xe9", b"\x7f", b"a\tb", b"a\x01"])
def test_a_name_that_is_none_is_refused_in_words(start: Start, name: bytes) -> None:
    jobs = NotingJobs()
    answer = start(jobs=jobs).put("/run-pipeline", headers=[(b"X-Requested-By", name)])
    assert answer.status_code == 422
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["header", "X-Requested-By"]
    assert "1 to 64 printable ASCII characters" in error["msg"]
    assert jobs.asked == []


# --- the API key ---------------------------------------------------------------------------------

CHANGES = [
    ("PUT", "/run-pipeline"),
    ("DELETE", f"/jobs/{JOB_ID}"),
    ("PUT", "/models/current"),
    ("GET", "/metrics"),
]
READS = [
    ("POST", "/predict"),
    ("GET", "/jobs"),
    ("GET", f"/jobs/{JOB_ID}"),
    ("GET", "/models"),
    ("GET", "/models/20260102-030405-abcdef/plots/roc"),
    ("GET", "/processes"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/openapi.json"),
]


@pytest.fixture
def guarded(start: Start, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("LIFEBOAT_API_KEY", "sésame")
    return start()


def call(client: TestClient, method: str, path: str, headers: dict[str, Any]) -> int:
    status: int = client.request(method, path, headers=headers).status_code
    return status


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-API-Key": ""}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Basic c2VzYW1l"}, 401),
        ({"X-API-Key": "simsim"}, 403),
        ({"X-API-Key": "sesame"}, 403),
        ({"Authorization": "Bearer simsim"}, 403),
        ({"Authorization": "Bearer "}, 401),
    ],
)
def test_a_change_without_the_key_is_refused(
    guarded: TestClient, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    assert call(guarded, method, path, headers) == status


@pytest.mark.parametrize(("method", "path"), READS)
def test_a_read_and_a_prediction_need_no_key(guarded: TestClient, method: str, path: str) -> None:
    assert call(guarded, method, path, {}) not in (401, 403)


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize("scheme", ["X-API-Key", "Bearer", "bearer"])
def test_a_change_with_the_key_is_let_through(
    start: Start, monkeypatch: pytest.MonkeyPatch, method: str, path: str, scheme: str
) -> None:
    monkeypatch.setenv("LIFEBOAT_API_KEY", "open sesame")
    key = "open sesame"
    headers = {scheme: key} if scheme == "X-API-Key" else {"Authorization": f"{scheme} {key}"}
    assert call(start(), method, path, headers) not in (401, 403)


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
def test_a_key_beyond_ascii_opens_too(guarded: TestClient, header: str) -> None:
    prefix = "Bearer " if header == "Authorization" else ""
    headers = {header: (prefix + "sésame").encode()}
    assert call(guarded, "GET", "/metrics", headers) == 200


def status_of_bytes(client: TestClient, method: str, path: str, name: str, value: bytes) -> int:
    """As from the wire: the test client would write a header's bytes anew, as UTF-8."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        **{"type": "http", "method": method, "path": path, "query_string": b""},
        **{"headers": [(name.lower().encode(), value)], "state": dict(client.app_state)},
    }
    assert client.portal is not None
    client.portal.call(client.app, scope, receive, send)
    status: int = sent[0]["status"]
    return status


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
@pytest.mark.parametrize(
    "given", [b"\xff", b"s\xe9same", b"s\xc3\xa9sam", b"s\xc3\xa9samee", b"\xed\xa0\x80", b"\x7f"]
)
def test_bytes_that_are_another_key_or_no_text_are_wrong(
    guarded: TestClient, header: str, given: bytes
) -> None:
    prefix = b"Bearer " if header == "Authorization" else b""
    for method, path in CHANGES:
        assert status_of_bytes(guarded, method, path, header, prefix + given) == 403


def test_a_key_that_is_no_text_opens_by_its_bytes(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environb, b"LIFEBOAT_API_KEY", b"s\xffsame")
    client = start()
    assert status_of_bytes(client, "GET", "/metrics", "X-API-Key", b"s\xffsame") == 200
    assert status_of_bytes(client, "GET", "/metrics", "X-API-Key", b"s\xfesame") == 403


@pytest.mark.parametrize("given", ["simsim", "s", "sésame"])
def test_a_key_is_compared_in_constant_time(
    guarded: TestClient, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return False

    monkeypatch.setattr(hmac, "compare_digest", compare)
    # Whatever Python's own comparison would say: none but this one is asked.
    assert call(guarded, "GET", "/metrics", {"X-API-Key": given.encode()}) == 403
    assert compared == [(given.encode(), "sésame".encode())]


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_where_no_key_is_configured_none_is_asked_for(
    client: TestClient, method: str, path: str
) -> None:
    assert call(client, method, path, {}) not in (401, 403)


def test_making_the_application_opens_and_writes_nothing(models_dir: Path) -> None:
    settings = Settings(models_dir=models_dir, redis_password_file=models_dir / "none")
    assert TestClient(create_app(settings)).get("/health/live").status_code == 200
    assert not models_dir.exists()
