"""`make run`: the whole product on this machine, and nothing left behind when it ends."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import redis

from shared.runtime.redis_client import connect
from shared.runtime.redis_url import RedisServer
from tests.support.processes import (
    LONG_SECONDS,
    ROOT,
    RUN_SECONDS,
    Api,
    Process,
    children,
    clean_environment,
    free_port,
    processes_of,
    wait_for,
)


@dataclass
class Running:
    make: Process
    models_dir: Path
    port: int

    def processes(self) -> list[psutil.Process]:
        return processes_of(self.models_dir)

    def wait_until_ready(self) -> Api:
        wait_for(lambda: "Ready to predict" in self.make.output(), seconds=RUN_SECONDS)
        return Api(f"http://127.0.0.1:{self.port}", self.make)

    def pid(self, name: str) -> int:
        """Return the id of the process that runs the program now."""
        lines = [x for x in self.make.output().splitlines() if f"{name} started (pid=" in x]
        return int(lines[-1].split("pid=")[1].rstrip(")"))

    def wait_until_started(self) -> None:
        wait_for(lambda: "api started (pid=" in self.make.output(), why=self.make.output)

    def assert_nothing_is_left(self) -> None:
        self.make.wait()
        wait_for(lambda: not self.processes(), why=self.make.output)


def _environment(folder: Path, table: str) -> dict[str, str]:
    return {
        "LIFEBOAT_MODELS_DIR": str(folder / "models"),
        "LIFEBOAT_PORT": str(free_port()),
        "LIFEBOAT_TRAINING_DATA": table,
    }


@contextmanager
def _running(folder: Path, environment: dict[str, str], *command: str) -> Iterator[Running]:
    make = Process([*(command or ("make", "run"))], folder / "make.log", environment, ROOT)
    running = Running(
        make, Path(environment["LIFEBOAT_MODELS_DIR"]), int(environment["LIFEBOAT_PORT"])
    )
    try:
        yield running
    finally:
        make.end()
        for process in running.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.fixture
def environment(tmp_path: Path, small_table: str) -> dict[str, str]:
    return _environment(tmp_path, small_table)


@pytest.fixture
def running(tmp_path: Path, environment: dict[str, str]) -> Iterator[Running]:
    with _running(tmp_path, environment) as running:
        yield running


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory, small_table: str) -> Iterator[Running]:
    """One that the tests of what it survives share."""
    folder = tmp_path_factory.mktemp("lasting")
    with _running(folder, _environment(folder, small_table)) as running:
        running.wait_until_ready().http.close()
        yield running


def _made(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["make", *(arguments or ["run"])],
        cwd=ROOT,
        env=clean_environment() | environment,
        capture_output=True,
        text=True,
        timeout=LONG_SECONDS,
    )


def _refusal(environment: dict[str, str], *arguments: str) -> str:
    """What `make` says where it cannot start."""
    result = _made(environment, *arguments)
    assert result.returncode != 0
    assert "Traceback" not in result.stderr + result.stdout
    (sentence,) = [x for x in result.stderr.splitlines() if x.startswith("lifeboat: ")]
    return sentence


def test_it_trains_predicts_and_keeps_its_data_beside_the_models(lasting: Running) -> None:
    api = lasting.wait_until_ready()
    version = api.version()
    assert version is not None
    lines = lasting.make.output().splitlines()
    (ready,) = [line for line in lines if "Ready to predict" in line]
    assert f"http://127.0.0.1:{lasting.port}" in ready
    for name in ("worker", "api"):
        assert any(f" {name} " in line.split("|")[0] for line in lines)
    assert (lasting.models_dir.parent / "models.redis" / "appendonlydir").is_dir()
    api.http.close()


def _worker_s_tracker(running: Running) -> int:
    """Celery's tracker of semaphores, without which its main process gives up."""
    trackers = [x for x in children(running.pid("worker")) if "_tracker" in " ".join(x.cmdline())]
    return trackers[0].pid


def _redis_server(running: Running) -> int:
    (server,) = [x for x in children(running.pid("redis")) if x.name() != "python"]
    return server.pid


@pytest.mark.parametrize(
    ("program", "victim"),
    [
        pytest.param("worker", lambda running: running.pid("worker"), marks=pytest.mark.thorough),
        pytest.param("worker", _worker_s_tracker, marks=pytest.mark.thorough),
        pytest.param("redis", lambda running: running.pid("redis"), marks=pytest.mark.thorough),
        ("redis", _redis_server),
    ],
)
def test_what_is_killed_comes_back_and_predictions_go_on(
    lasting: Running, program: str, victim: Callable[[Running], int]
) -> None:
    api = lasting.wait_until_ready()
    before = lasting.pid(program)
    os.kill(victim(lasting), signal.SIGKILL)
    if victim is not _worker_s_tracker:
        # Until then, a server whose parent was killed may take one more job.
        wait_for(lambda: lasting.pid(program) != before, why=lasting.make.output)

    def run() -> str | None:
        assert api.predict().status_code == 200
        answer = api.http.put("/run-pipeline")
        return str(answer.json()["job_id"]) if answer.status_code == 202 else None

    job = api.wait_for_end(wait_for(run, why=lasting.make.output))
    assert job["status"] == "succeeded" and api.predict().status_code == 200
    api.http.close()


def test_an_api_that_is_killed_comes_back(lasting: Running) -> None:
    api = lasting.wait_until_ready()
    before = lasting.pid("api")
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: lasting.pid("api") != before and api.is_live(), why=lasting.make.output)
    assert api.version() is not None
    api.http.close()


def test_its_redis_asks_for_a_password_that_nobody_else_can_see(lasting: Running) -> None:
    environment = psutil.Process(lasting.pid("api")).environ()
    url = urlsplit(environment["LIFEBOAT_REDIS_URL"])
    assert url.password and len(url.password) >= 32
    stranger = connect(RedisServer(f"redis://127.0.0.1:{url.port}/0"))
    with stranger, pytest.raises(redis.AuthenticationError):
        stranger.lpush("lifeboat:queue", "rubbish")
    for process in psutil.process_iter(["cmdline"]):
        assert url.password not in " ".join(process.info["cmdline"] or [])
    for file in lasting.models_dir.parent.rglob("*"):
        assert not file.is_file() or url.password.encode() not in file.read_bytes()


@pytest.mark.thorough
def test_stopped_and_started_again_it_serves_what_was_chosen(
    running: Running, environment: dict[str, str], tmp_path: Path
) -> None:
    api = running.wait_until_ready()
    first = api.version()
    result = api.wait_for_end(api.run_pipeline(force=True))["result"]
    assert isinstance(result, dict)
    api.http.put("/models/current", json={"model_version": first})
    running.make.send(signal.SIGTERM)
    running.assert_nothing_is_left()
    again = Process(["make", "run"], tmp_path / "again.log", environment, ROOT)
    try:
        wait_for(lambda: "Ready to predict" in again.output(), seconds=RUN_SECONDS)
        assert api.version() == first != result["model_version"]
    finally:
        again.send(signal.SIGTERM)
        again.wait()
        again.end()
        api.http.close()


def test_a_second_one_on_the_same_models_is_refused(
    lasting: Running, environment: dict[str, str]
) -> None:
    environment["LIFEBOAT_MODELS_DIR"] = str(lasting.models_dir)
    assert "LIFEBOAT_MODELS_DIR" in _refusal(environment)
    sentence = _refusal(environment | {"LIFEBOAT_PORT": str(lasting.port)})
    assert "LIFEBOAT_PORT" in sentence and str(lasting.port) in sentence


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_it_ends_whole_when_it_is_asked_to(running: Running, number: signal.Signals) -> None:
    running.wait_until_started()
    if number is signal.SIGTERM:
        running.make.send(number)
    else:
        # A terminal sends Ctrl-C, and its own end, to the whole foreground group.
        os.killpg(running.make.pid, number)
    running.assert_nothing_is_left()


@pytest.mark.thorough
def test_with_nohup_it_outlives_its_terminal(tmp_path: Path, environment: dict[str, str]) -> None:
    with _running(tmp_path, environment, "nohup", "make", "run") as running:
        running.wait_until_started()
        os.killpg(running.make.pid, signal.SIGHUP)
        running.wait_until_ready().http.close()
        # Killed, it takes its processes along now as at its start.
        os.kill(running.make.pid, signal.SIGKILL)
        running.assert_nothing_is_left()


@pytest.mark.parametrize("who", ["make", "supervisor"])
def test_killed_it_takes_its_processes_along(running: Running, who: str) -> None:
    running.wait_until_started()
    (supervisor,) = psutil.Process(running.make.pid).children()
    os.kill(running.make.pid if who == "make" else supervisor.pid, signal.SIGKILL)
    running.make.wait()
    wait_for(lambda: not running.processes(), why=running.make.output)


def test_what_never_worked_ends_with_a_sentence(environment: dict[str, str]) -> None:
    wrong = {"LIFEBOAT_REDIS_URL": "redis://127.0.0.1:9/0", "LIFEBOAT_REDIS_PASSWORD_FILE": "none"}
    result = _made(environment | wrong)
    assert result.returncode != 0
    (sentence,) = [line for line in result.stdout.splitlines() if "worked once" in line]
    assert "api ended with status 1" in sentence


def test_a_setting_that_makes_no_sense_is_named(environment: dict[str, str]) -> None:
    assert "LIFEBOAT_PORT" in _refusal(environment | {"LIFEBOAT_PORT": "http"})


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n', "no venv module"),
        ("#!/bin/sh\nexit 1\n", "version 3.11 or newer"),
    ],
)
def test_a_python_that_will_not_do_is_refused_in_a_sentence(
    tmp_path: Path, environment: dict[str, str], python: str, said: str
) -> None:
    path = tmp_path / "python"
    path.write_text(python)
    path.chmod(0o755)
    sentence = _refusal(environment, f"PYTHON={path}", f"VENV={tmp_path}/venv", "run")
    assert said in sentence and "PYTHON=" in sentence
