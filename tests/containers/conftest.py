"""The real `docker-compose.yml`, under a project name, a port and volumes of its own."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.processes import ROOT, Api, clean_environment, free_port

BASE_IMAGE = "python:3.13-slim"


class Compose:
    def __init__(self) -> None:
        self.project = f"lifeboat-test-{os.getpid()}"
        self.port = free_port()

    def __call__(self, *arguments: str, check: bool = True) -> str:
        result = subprocess.run(
            ["docker", "compose", "--project-name", self.project, *arguments],
            cwd=ROOT,
            env=clean_environment() | {"LIFEBOAT_PORT": str(self.port)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert not check or result.returncode == 0, result.stdout[-5000:]
        return result.stdout

    def python(self, service: str, code: str) -> str:
        return self("exec", "-T", service, "python", "-c", code).strip()

    def inspect(self, service: str) -> dict[str, Any]:
        container = self("ps", "--all", "--quiet", service).split()[0]
        found: list[dict[str, Any]] = json.loads(docker("inspect", container))
        return found[0]


def docker(*arguments: str) -> str:
    return subprocess.run(
        ["docker", *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def _has_engine() -> bool:
    try:
        subprocess.run(["docker", "info"], check=True, capture_output=True)
        subprocess.run(["docker", "compose", "version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


@pytest.fixture(scope="session")
def compose() -> Iterator[Compose]:
    """The product as `docker compose up --build --wait` brings it up."""
    if not _has_engine():
        sentence = "no Docker engine with Compose answers, so the container ring cannot run"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    compose = Compose()
    try:
        compose("up", "--build", "--detach", "--wait")
        yield compose
    finally:
        compose("down", "--volumes", "--remove-orphans", check=False)


@pytest.fixture
def api(compose: Compose) -> Iterator[Api]:
    client = Api(f"http://127.0.0.1:{compose.port}")
    with client.http:
        yield client
