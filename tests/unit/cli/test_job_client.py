"""What a running stack seldom shows: a run that is lost, an API that stays away."""

import http.server
import threading
import time
from collections.abc import Callable

import httpx2 as httpx
import pytest

from cli import job_client
from cli.job_client import CallFailed, JobClient
from shared.jobs.job import Job, JobStatus
from tests.support.jobs import job
from tests.support.versions import JOB_ID


def _stream(*events: tuple[str, Job]) -> httpx.Response:
    text = "".join(f"id: {i}\ndata: {j.model_dump_json()}\n\n: still here\n\n" for i, j in events)
    return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, text=text)


Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def client_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], JobClient]:
    """A client whose every request a function answers; its clock moves only while it sleeps."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    real = httpx.Client

    def make(answer: Answer) -> JobClient:
        def client(**options: object) -> httpx.Client:
            transport = httpx.MockTransport(answer)
            return real(transport=transport, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(job_client.httpx, "Client", client)  # type: ignore[attr-defined]
        return JobClient("http://test", requested_by="me@here", api_key="secret")

    return make


def test_it_resumes_after_the_last_event(client_of: Callable[[Answer], JobClient]) -> None:
    asked: list[str] = []
    ended = job(status="succeeded", stage="publish", progress=1.0)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Last-Event-ID"])
        assert request.headers["X-API-Key"] == "secret"
        assert request.headers["X-Requested-By"] == "me@here"
        match len(asked):
            case 1:
                return _stream(("1-0", job()), ("2-0", job(stage="evaluate")))
            case 2:
                raise httpx.ConnectError("Connection refused", request=request)
            case 3:
                return httpx.Response(503, json={"detail": "Redis does not answer"})
            case _:
                return _stream(("3-0", ended))

    seen = list(client_of(answer).follow(JOB_ID))
    assert asked == ["0", "2-0", "2-0", "2-0"]
    assert [s.stage for s in seen if isinstance(s, Job)] == ["fit", "evaluate", "publish"]
    troubles = [s for s in seen if isinstance(s, str)]
    assert ["stopping" in troubles[0], "refused" in troubles[1], "Redis" in troubles[2]] == [
        True
    ] * 3
    assert seen[-1] == ended


@pytest.mark.parametrize("status", [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED])
def test_the_end_of_the_job_ends_it(
    client_of: Callable[[Answer], JobClient], status: JobStatus
) -> None:
    seen = list(client_of(lambda _: _stream(("1-0", job(status=status)))).follow(JOB_ID))
    assert [s.status for s in seen if isinstance(s, Job)] == [status] and len(seen) == 1


def test_a_run_that_redis_has_lost_is_told_at_once(
    client_of: Callable[[Answer], JobClient],
) -> None:
    gone = httpx.Response(404, json={"detail": "there is no job"})
    with pytest.raises(CallFailed, match="there is no job"):
        list(client_of(lambda _: gone).follow(JOB_ID))


def test_an_api_that_stays_away_is_waited_for_as_long_as_a_restart_takes(
    client_of: Callable[[Answer], JobClient],
) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused", request=request)

    seen = []
    with pytest.raises(CallFailed, match="The run goes on"):
        for sight in client_of(refuse).follow(JOB_ID):
            seen.append(sight)
    assert len(seen) > 60


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, text="not here"),
        httpx.Response(404, json=["not here"]),
        httpx.Response(200, text="welcome"),
    ],
)
def test_a_server_that_is_no_lifeboat_is_named(
    client_of: Callable[[Answer], JobClient], answer: httpx.Response
) -> None:
    with pytest.raises(CallFailed, match=r"http://test answers .* as Lifeboat does not"):
        client_of(lambda _: answer).start(force=False)


@pytest.mark.parametrize("url", ["http://[", "nowhere", "ftp://nowhere"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(CallFailed, match=r"nowhere|http://\["):
        JobClient(url, requested_by="me@here", api_key=None).start(force=False)


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9", "no URL at all"])
def test_it_asks_directly_whatever_proxy_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, name: str, proxy: str
) -> None:
    monkeypatch.setenv(name, proxy)
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        client = JobClient(
            f"http://127.0.0.1:{server.server_port}", requested_by="me@here", api_key=None
        )
        # It was reached, and answers that it knows no GET.
        with pytest.raises(CallFailed, match="answers 501"):
            client.job(JOB_ID)
