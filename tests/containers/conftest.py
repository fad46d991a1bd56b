"""The real `docker-compose.yml`, under a project name, a port and volumes of its own."""

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import artifacts, haproxy
from tests.support.processes import ROOT, Api, clean_environment, free_port

BASE_IMAGE = "python:3.13-slim"


class Compose:
    """A project of its own; `overrides` are files beside `docker-compose.yml`, as of a user.

    A test may add one to them, as a user may.

    A test that fails keeps what its containers have logged (`artifacts`).
    """

    def __init__(self, name: str, *overrides: Path) -> None:
        self.project = f"lifeboat-{name}-{os.getpid()}"
        self.port, self.edge_port = free_port(), free_port()
        self.environment: dict[str, str] = {}
        self.overrides = list(overrides)
        self._last_words: str | None = None

    def __call__(self, *arguments: str, check: bool = True) -> str:
        status, said = self.call(*self.command, *arguments)
        assert not check or status == 0, said[-5000:]
        return said

    @property
    def command(self) -> list[str]:
        # By name, because a developer may have a docker-compose.override.yml.
        files = [ROOT / "docker-compose.yml", *self.overrides]
        named = [argument for file in files for argument in ("--file", str(file))]
        return ["docker", "compose", *named, "--project-name", self.project]

    def call(self, *command: str) -> tuple[int, str]:
        """Call a program in the checkout, with the settings of this project."""
        result = subprocess.run(
            command,
            cwd=ROOT,
            env=clean_environment()
            | {"LIFEBOAT_PORT": str(self.port), "LIFEBOAT_EDGE_PORT": str(self.edge_port)}
            | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return result.returncode, result.stdout

    def carry_out(self, command: str) -> str:
        """Carry out a command of `docs/operations.md` for this project; what it said."""
        compose = shlex.join(self.command)
        own = command.replace("docker compose", compose)
        if own.startswith("make "):
            own += f" COMPOSE={shlex.quote(compose)}"
        status, said = self.call("sh", "-c", own)
        assert status == 0, said[-5000:]
        return said

    def python(self, service: str, code: str) -> str:
        return self("exec", "-T", service, "python", "-c", code).strip()

    def client(self) -> Api:
        return Api(f"http://127.0.0.1:{self.port}")

    def down(self) -> None:
        """Take the project down; its logs go with it, so they are read before."""
        self._last_words = self._said()
        self("--profile", "*", "down", "--volumes", "--remove-orphans", check=False)

    def has_ended(self) -> bool:
        return self._last_words is not None

    def keep(self, folder: Path) -> None:
        (folder / f"{self.project}.log").write_text(self._last_words or self._said())

    def _said(self) -> str:
        every = ("--profile", "*")
        return "\n".join(
            [
                self(*every, "ps", "--all", check=False),
                self(*every, "logs", "--no-color", "--timestamps", check=False),
            ]
        )

    def inspect(self, service: str) -> dict[str, Any]:
        container = self("ps", "--all", "--quiet", service).split()[0]
        found: list[dict[str, Any]] = json.loads(docker("inspect", container))
        return found[0]


# The first test of a project waits for its images to be built.
_TIMEOUT_SECONDS = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(_TIMEOUT_SECONDS))


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
def engine() -> None:
    if not _has_engine():
        sentence = "no Docker engine with Compose answers, so the container ring cannot run"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)


@contextmanager
def up(compose: Compose) -> Iterator[Compose]:
    """The product as `docker compose up --build --wait` brings it up."""
    artifacts.keep_of(compose)
    try:
        compose("up", "--build", "--detach", "--wait")
        yield compose
    finally:
        compose.down()


@pytest.fixture(scope="session")
def compose(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """One for all files of this ring; `test_stopping.py` is the last and takes it down."""
    stand_in = haproxy.stand_in(tmp_path_factory.mktemp("haproxy"), BASE_IMAGE)
    with up(Compose("test", *filter(None, [stand_in]))) as compose:
        yield compose


@pytest.fixture
def api(compose: Compose) -> Iterator[Api]:
    client = compose.client()
    with client.http:
        yield client
