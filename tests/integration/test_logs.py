"""Every line of every process in JSON, whatever happens; and the lines of one call and its run."""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.jobs.job import Stage
from shared.runtime.redis_keys import VERSION
from tests.support.held_runs import HeldRuns
from tests.support.processes import (
    LONG_SECONDS,
    ROOT,
    Api,
    Process,
    Stack,
    children,
    clean_environment,
    free_port,
    http_client,
    wait_for,
)
from tests.support.versions import publish

_CELERY = [str(Path(sys.executable).parent / "celery"), "--quiet", "--app", "worker.celery_app"]

Line = dict[str, object]


def parsed(output: str) -> list[Line]:
    """Fails where a line is no JSON object, or lacks what every line has."""
    lines = [json.loads(line) for line in output.splitlines()]
    for line in lines:
        assert {"time", "level", "logger", "message", "process"} <= line.keys(), line
    return lines


@dataclass(frozen=True)
class Running:
    stack: Stack
    api: Api
    worker: Process

    def of_api(self, **fields: str) -> list[Line]:
        return _about(self.api.log(), fields)

    def of_worker(self, **fields: str) -> list[Line]:
        return _about(self.worker.output(), fields)


def _about(output: str, fields: dict[str, str]) -> list[Line]:
    # The last line may be half written while the process runs.
    whole = output[: output.rfind("\n") + 1]
    return [line for line in parsed(whole) if fields.items() <= line.items()]


@pytest.fixture
def running(stack: Stack, held_runs: HeldRuns) -> Running:
    """With a model, so that nobody but the test asks for a run."""
    stack.redis.client.set(VERSION, publish(stack.models_dir, roc_auc=0.5))
    stack.settings |= {"log_format": "json"}
    worker = stack.start_worker()
    return Running(stack, stack.start_api(processes=2), worker)


@pytest.mark.thorough
def test_the_lines_of_a_run_have_its_id_and_that_of_the_call(running: Running) -> None:
    api = running.api
    answer = api.http.put("/run-pipeline", headers={"X-Request-ID": "Asked_by.a-test"})
    assert answer.headers["X-Request-ID"] == "Asked_by.a-test"
    job_id = answer.json()["job_id"]
    end = api.wait_for_end(job_id)
    assert end["request_id"] == "Asked_by.a-test"
    result = end["result"]
    assert isinstance(result, dict)
    version = result["model_version"]
    api.wait_for_version(version)

    about = {"request_id": "Asked_by.a-test", "job_id": job_id}
    assert [line["message"] for line in running.of_api(**about)] == ["asked for a run: a new one"]
    messages = [line["message"] for line in running.of_api(request_id="Asked_by.a-test")]
    assert "PUT /run-pipeline: 202" in messages
    # The worker says it after the job has ended.
    (published,) = wait_for(lambda: running.of_worker(**about, model_version=version))
    assert str(published["message"]).startswith("promoted: ")
    messages = [str(line["message"]) for line in running.of_worker(**about)]
    assert messages[:-1] == [f"stage {stage}" for stage in Stage]
    # One in each process.
    serving = wait_for(lambda: running.of_api(model_version=version)[1:])
    assert len(serving) == 1 and "now serving" in str(serving[0]["message"])


@pytest.mark.thorough
def test_whatever_happens_is_logged_as_json(running: Running, held_runs: HeldRuns) -> None:
    api, worker = running.api, running.worker
    assert api.http.put("/models/current", json={"model_version": api.version()}).is_success
    (chosen,) = running.of_api(message="chosen as the version to serve")
    assert (chosen["client"], chosen["model_version"]) == ("127.0.0.1", api.version())
    assert api.http.put("/nowhere", headers={"X-Requested-By": "ada"}).status_code == 404
    (nowhere,) = running.of_api(message="PUT no route: 404")
    assert (nowhere["client"], nowhere["requested_by"]) == ("127.0.0.1", "ada")
    # What is no HTTP.
    with socket.create_connection(("127.0.0.1", api.port)) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        with connection.makefile("rb") as answer:
            assert answer.readline().startswith(b"HTTP/1.1 400")
    wait_for(lambda: running.of_api(message="Invalid HTTP request received."))

    # A cancelled run, and one whose process is killed.
    held_runs.hold_at(Stage.EVALUATE)
    job_id = api.run_pipeline()
    wait_for(held_runs.is_any_held)
    assert api.http.delete(f"/jobs/{job_id}").status_code == 202
    held_runs.let_go()
    assert api.wait_for_end(job_id)["status"] == "cancelled"
    (deleted,) = running.of_api(message="DELETE /jobs/{job_id}: 202")
    assert deleted["job_id"] == job_id and deleted["request_id"]
    held_runs.hold_at(Stage.EVALUATE)
    killed = api.run_pipeline()
    wait_for(held_runs.is_any_held)
    os.kill(max(children(worker.pid), key=lambda c: c.memory_info().rss).pid, signal.SIGKILL)
    held_runs.let_go()
    assert api.wait_for_end(killed)["attempts"] == 2
    deaths = running.of_api(job_id=killed) + running.of_worker(job_id=killed)
    assert any("its worker is dead" in str(line["message"]) for line in deaths)
    assert "SIGKILL" in worker.output()

    # A process of the API is killed, and Redis goes away in the middle of a run.
    victim = min(child.pid for child in children(api.pid) if "spawn_main" in child.cmdline()[-2])
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: api.log().count("Application startup complete") == 3)
    held_runs.hold_at(Stage.EVALUATE)
    with http_client(api.url) as http:
        assert http.put("/run-pipeline").status_code == 202
        wait_for(held_runs.is_any_held)
        running.stack.redis.stop()
        assert http.get("/jobs").status_code == 503
    wait_for(lambda: "onnection refused" in worker.output())
    (failed,) = running.of_api(logger="api.http.errors")
    assert str(failed["message"]).startswith("GET /jobs: Redis did not answer")
    assert failed["request_id"]

    running.stack.redis.start()
    held_runs.let_go()
    api.stop()
    worker.stop()
    assert len(parsed(worker.output())) > 20 and len(parsed(api.log())) > 20


@pytest.mark.parametrize("program", [[sys.executable, "-m", "api"], [*_CELERY, "worker"]])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"LIFEBOAT_KEEP_VERSIONS": "none"}, "LIFEBOAT_KEEP_VERSIONS: "),
        ({"LIFEBOAT_REDIS_PASSWORD_FILE": "nowhere"}, "nowhere"),
    ],
)
def test_a_process_that_cannot_start_says_so_in_json(
    tmp_path: Path, program: list[str], wrong: dict[str, str], said: str
) -> None:
    done = subprocess.run(
        program,
        cwd=tmp_path,
        env=clean_environment()
        | {"PYTHONPATH": str(ROOT), "LIFEBOAT_LOG_FORMAT": "json"}
        | {"LIFEBOAT_PORT": str(free_port())}
        | wrong,
        capture_output=True,
        text=True,
        timeout=LONG_SECONDS,
    )
    assert done.stdout == ""
    lines = parsed(done.stderr)
    assert any(
        said in str(line["message"]) and line["level"] in ("ERROR", "CRITICAL") for line in lines
    )


def test_a_key_that_is_gone_keeps_the_old_processes_and_is_said_in_json(
    stack: Stack, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("sesame")
    api = stack.start_api(processes=2, log_format="json", api_key_file=str(key))
    key.unlink()
    api.send(signal.SIGHUP)
    wait_for(lambda: "aborting the restart" in api.log())
    refused = [line for line in parsed(api.log()) if line["level"] == "CRITICAL"]
    assert any(str(line["message"]).startswith("LIFEBOAT_API_KEY_FILE") for line in refused)
    assert api.is_live()
