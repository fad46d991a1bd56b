"""Faults of the issue's table that only real containers show. In the order of the file."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.containers.conftest import Compose, docker
from tests.support.processes import ROOT, RUN_SECONDS, Api, wait_for
from tests.support.rolling_restart import restart
from tests.support.steady_client import predict_meanwhile

pytestmark = pytest.mark.thorough

_TABLE = (ROOT / "examples" / "titanic" / "data.csv").read_bytes()


def _kill_redis(compose: Compose) -> None:
    docker("kill", compose.inspect("redis")["Id"])


def _start_redis(compose: Compose, api: Api) -> None:
    compose("start", "redis")
    wait_for(lambda: api.http.get("/jobs").status_code == 200)


def test_a_queued_job_survives_a_redis_that_is_killed(compose: Compose, api: Api) -> None:
    compose("stop", "worker")
    job_id = api.run_pipeline()
    jobs = api.http.get("/jobs").json()
    _kill_redis(compose)
    _start_redis(compose, api)
    assert api.http.get("/jobs").json() == jobs
    assert api.job(job_id)["status"] == "queued"
    assert api.run_pipeline() == job_id
    compose("start", "worker")
    job = api.wait_for_end(job_id)
    assert (job["status"], job["attempts"]) == ("succeeded", 1)


class _HeldTable(http.server.ThreadingHTTPServer):
    """The training table behind a URL that answers slowly until it is let go."""

    def __init__(self, address: str) -> None:
        asked, let_go = threading.Event(), threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(_TABLE)))
                self.end_headers()
                asked.set()
                # A byte a second, because the worker gives a server up that is silent for 30 s.
                sent = 0
                while not let_go.wait(1):
                    self.wfile.write(_TABLE[sent : sent + 1])
                    sent += 1
                self.wfile.write(_TABLE[sent:])

            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__((address, 0), Handler)
        self.asked, self.let_go = asked, let_go
        self.url = f"http://{address}:{self.server_port}/table.csv"


@contextmanager
def _held_table(compose: Compose) -> Iterator[_HeldTable]:
    """Reached by the worker on its network that leads outside: this machine's address there."""
    gateway = "{{(index .IPAM.Config 0).Gateway}}"
    network = f"{compose.project}_training-data"
    with _HeldTable(docker("network", "inspect", "--format", gateway, network)) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield server
        finally:
            server.let_go.set()
            server.shutdown()
            serving.join()


def test_redis_killed_and_restarted_in_a_run_ends_the_job_correctly(
    compose: Compose, api: Api
) -> None:
    with _held_table(compose) as table:
        compose.environment = {"LIFEBOAT_TRAINING_DATA": table.url}
        compose("up", "--detach", "--wait", "worker")
        job_id = api.run_pipeline()
        assert table.asked.wait(RUN_SECONDS)
        before = api.version()
        _kill_redis(compose)
        assert api.version() == before
        assert api.http.put("/run-pipeline").status_code == 503
        _start_redis(compose, api)
        assert api.job(job_id)["status"] == "running"
        table.let_go.set()
        job = api.wait_for_end(job_id)
        assert (job["status"], job["attempts"]) == ("succeeded", 1), job
    compose.environment = {}
    compose("up", "--detach", "--wait", "worker")


def test_a_worker_is_healthy_without_redis_and_takes_a_job_when_it_is_back(
    compose: Compose, api: Api
) -> None:
    alive = "/tmp/lifeboat-worker-alive"
    compose("stop", "redis")
    wait_for(lambda: "Redis does not answer" in compose("logs", "worker"))
    compose("exec", "-T", "worker", "rm", alive)
    # What the health check looks at is written anew.
    wait_for(lambda: compose("exec", "-T", "worker", "ls", alive, check=False).strip() == alive)
    assert _health_of_worker(compose) == "healthy"
    _start_redis(compose, api)
    assert api.wait_for_end(api.run_pipeline())["status"] == "succeeded"
    assert _health_of_worker(compose) == "healthy"


def _health_of_worker(compose: Compose) -> str:
    """An earlier test has restarted it, and its first check may be to come."""

    def known() -> str | None:
        status = str(compose.inspect("worker")["State"]["Health"]["Status"])
        return None if status == "starting" else status

    return wait_for(known)


def test_a_rolling_restart_loses_no_request_and_refuses_no_connection(
    compose: Compose, api: Api
) -> None:
    def hang_up() -> None:
        compose("kill", "--signal", "HUP", "api")

    def log() -> str:
        return compose("logs", "api")

    clients = predict_meanwhile(compose.port, lambda: restart(hang_up, log, processes=2))
    for client in clients:
        assert client.failures() == []
    assert sum(client.closed_politely for client in clients) > 0


def test_a_restart_answers_what_was_sent_and_refuses_until_it_listens_again(
    compose: Compose, api: Api
) -> None:
    clients = predict_meanwhile(compose.port, lambda: compose("restart", "api"))
    for client in clients:
        assert client.lost_when_kept == []
        # What is new meets the engine's proxy, which takes connections that nobody listens for.
        assert client.refused or client.lost_when_new
        # Only where the first look for a model takes long: there is none for an instant.
        assert client.wrong == []
    times = sorted(moment for client in clients for moment in client.answered)
    gap = max(later - earlier for earlier, later in zip(times, times[1:], strict=False))
    print(f"docker compose restart api: nobody was answered for {gap:.1f} s")
