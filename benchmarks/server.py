"""A server of the comparison: how it is started, how it is asked, and how it is ended."""

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.passengers import Body
from tests.support.processes import ROOT, Process, children, http_client, wait_for

CORE = "0"
_START_SECONDS = 120

Read = Callable[[bytes, Mapping[str, str]], NDArray[np.float64]]
"""Body and headers of an answer -> the probability of label 1 for each passenger."""


@dataclass(frozen=True)
class Call:
    """One way to ask a server: a line of the tables."""

    name: str
    path: str
    """May hold `{rows}`."""
    body: Callable[[int], Body]
    read: Read | None
    """None: the answer is no prediction."""
    may_refuse: bool = False
    """An answer that is no success is reported, where it would otherwise fail the run."""


@dataclass(frozen=True)
class Server:
    name: str
    port: int
    command: list[str]
    ready: str
    """Path that answers 200 once the model is loaded."""
    calls: list[Call]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def shown_command(self) -> str:
        """As a reader would type it in the checkout."""
        settings = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        words = " ".join([*settings, *_pinned(self.command)])
        return words.replace(f"{ROOT}/", "").replace(str(self.port), "PORT")


class Running:
    """A started server, pinned to its cores with all its processes."""

    def __init__(self, server: Server, folder: Path, *, cores: str = CORE) -> None:
        self.server = server
        # As in an activated environment: MLflow looks for its uvicorn on PATH.
        path = os.pathsep.join([str(Path(server.command[0]).parent), os.environ["PATH"]])
        self._process = Process(
            _pinned(server.command, cores),
            folder / f"{server.name}.log",
            {"PATH": path} | server.environment,
            folder,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self) -> None:
        """Until it is ready.

        Raises:
            AssertionError: it ended, or is not ready in time.
        """
        wait_for(self._is_ready, seconds=_START_SECONDS, why=f"see {self._process.log}")

    def post(self, call: Call, rows: int) -> httpx.Response:
        body = call.body(rows)
        with http_client(self.server.url) as http:
            return http.post(
                call.path.format(rows=rows), content=body.content, headers=body.headers
            )

    def end(self) -> None:
        # Some put their workers into a group or a session of their own.
        family = children(self._process.pid) if self._process.is_running() else []
        self._process.end()
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=10)

    def _is_ready(self) -> bool:
        assert self._process.is_running(), f"{self.server.name} ended: {self._process.output()}"
        try:
            with http_client(self.server.url) as http:
                return http.get(self.server.ready).status_code == 200
        except httpx.HTTPError:
            return False


def _pinned(command: list[str], cores: str = CORE) -> list[str]:
    return ["taskset", "-c", cores, *command]
