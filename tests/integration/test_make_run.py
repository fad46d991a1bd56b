"""`make run`: the whole product on this machine, and nothing left behind when it ends."""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.support.processes import (
    LONG_SECONDS,
    ROOT,
    RUN_SECONDS,
    Api,
    Process,
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

    def assert_nothing_is_left(self) -> None:
        self.make.wait()
        wait_for(lambda: not self.processes(), why=self.make.output)


@pytest.fixture
def environment(tmp_path: Path, small_table: str) -> dict[str, str]:
    return {
        "LIFEBOAT_MODELS_DIR": str(tmp_path / "models"),
        "LIFEBOAT_PORT": str(free_port()),
        "LIFEBOAT_TRAINING_DATA": small_table,
    }


@pytest.fixture
def running(tmp_path: Path, environment: dict[str, str]) -> Iterator[Running]:
    make = Process(["make", "run"], tmp_path / "make.log", environment, ROOT)
    running = Running(
        make, Path(environment["LIFEBOAT_MODELS_DIR"]), int(environment["LIFEBOAT_PORT"])
    )
    yield running
    make.end()
    for process in running.processes():
        process.kill()


def _refusal(environment: dict[str, str], *arguments: str) -> str:
    """What `make` says where it cannot start."""
    result = subprocess.run(
        ["make", *(arguments or ["run"])],
        cwd=ROOT,
        env=clean_environment() | environment,
        capture_output=True,
        text=True,
        timeout=LONG_SECONDS,
    )
    assert result.returncode != 0
    assert "Traceback" not in result.stderr + result.stdout
    (sentence,) = [x for x in result.stderr.splitlines() if x.startswith("lifeboat: ")]
    return sentence


def test_it_trains_predicts_and_keeps_its_data_beside_the_models(running: Running) -> None:
    api = running.wait_until_ready()
    version = api.version()
    assert version is not None
    lines = running.make.output().splitlines()
    (ready,) = [line for line in lines if "Ready to predict" in line]
    assert f"http://127.0.0.1:{running.port}" in ready
    for name in ("worker", "api"):
        assert any(f" {name} " in line.split("|")[0] for line in lines)
    assert (running.models_dir.parent / "models.redis" / "appendonlydir").is_dir()
    api.http.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_it_ends_whole_when_it_is_asked_to(running: Running, number: signal.Signals) -> None:
    running.wait_until_ready().http.close()
    if number is signal.SIGTERM:
        running.make.send(number)
    else:
        # A terminal sends Ctrl-C, and its own end, to the whole foreground group.
        os.killpg(running.make.pid, number)
    running.assert_nothing_is_left()


def test_a_signal_before_all_has_started_ends_it_too(running: Running) -> None:
    wait_for(lambda: "started (pid=" in running.make.output())
    running.make.send(signal.SIGTERM)
    running.assert_nothing_is_left()


@pytest.mark.parametrize("name", ["redis", "worker", "api"])
def test_when_one_process_dies_all_end(running: Running, name: str) -> None:
    running.wait_until_ready().http.close()
    (line,) = [x for x in running.make.output().splitlines() if f"{name} started (pid=" in x]
    os.kill(int(line.split("pid=")[1].rstrip(")")), signal.SIGKILL)
    running.assert_nothing_is_left()


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
    running: Running, environment: dict[str, str]
) -> None:
    running.wait_until_ready().http.close()
    sentence = _refusal(environment | {"LIFEBOAT_PORT": str(free_port())})
    assert "LIFEBOAT_MODELS_DIR" in sentence
    sentence = _refusal(environment)
    assert "LIFEBOAT_PORT" in sentence and str(running.port) in sentence


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
