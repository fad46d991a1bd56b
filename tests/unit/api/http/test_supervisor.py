"""The parent with processes that stand in for real ones; `tests/faults` has real ones."""

import signal
import time
from typing import Any

import pytest
import uvicorn

from api.http import supervisor as module
from api.http.supervisor import Supervisor


class FakeProcess:
    """A process that lives and serves until it is told to end."""

    def __init__(self, *_: object) -> None:
        self.exitcode: int | None = None
        self.is_serving = True
        self.pid = id(self)
        self.child_conn = self
        self.process = self

    def start(self) -> None: ...
    def close(self) -> None: ...
    def join(self) -> None: ...

    def kill(self) -> None:
        self.exitcode = -signal.SIGKILL if self.exitcode is None else self.exitcode

    def is_alive(self, timeout: float = 0) -> bool:
        return self.exitcode is None

    def is_ready(self, timeout: float = 0) -> bool:
        return self.is_alive() and self.is_serving


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> Supervisor:
    # The signals of this process stay as they are.
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(module, "Process", FakeProcess)
    parent = Supervisor(uvicorn.Config("nothing", workers=2), [])
    parent.processes = [FakeProcess(), FakeProcess()]  # type: ignore[list-item]
    return parent


def end(process: Any, status: int) -> Any:
    process.exitcode = status
    return process


def test_a_killed_process_is_replaced_at_once(parent: Supervisor) -> None:
    killed, other = parent.processes
    end(killed, -signal.SIGKILL)
    parent.keep_subprocess_alive()
    assert parent.processes[0] is not killed
    assert parent.processes[1] is other
    assert not parent.should_exit.is_set()


def test_a_process_that_cannot_start_is_tried_again_with_pauses_while_another_serves(
    parent: Supervisor, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    parent.keep_subprocess_alive()
    pauses = []
    for _ in range(7):
        failed = end(parent.processes[0], 3)
        began = clock[0]
        while parent.processes[0] is failed:
            parent.keep_subprocess_alive()
            clock[0] += 0.5
        pauses.append(clock[0] - 0.5 - began)
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert not parent.should_exit.is_set() and not parent.failed
    assert [r.levelname for r in caplog.records if "started again" in r.getMessage()] == [
        "ERROR"
    ] * 7


def test_two_that_cannot_start_do_not_hold_each_other_up(
    parent: Supervisor, clock: list[float]
) -> None:
    parent.processes.append(FakeProcess())  # type: ignore[arg-type]
    parent.keep_subprocess_alive()
    failed = [end(process, 1) for process in parent.processes[:2]]
    for _ in range(5):
        parent.keep_subprocess_alive()
        clock[0] += 0.5
    assert all(process not in failed for process in parent.processes)


@pytest.mark.parametrize("status", [1, 3])
def test_without_one_that_serves_it_ends_and_says_so(parent: Supervisor, status: int) -> None:
    parent.keep_subprocess_alive()
    for process in parent.processes:
        end(process, status)
    parent.keep_subprocess_alive()
    assert parent.should_exit.is_set() and parent.failed


def test_before_any_has_served_the_first_that_cannot_start_ends_all(parent: Supervisor) -> None:
    for process in parent.processes:
        process.is_serving = False  # type: ignore[attr-defined]
    parent.keep_subprocess_alive()
    end(parent.processes[0], 3)
    parent.keep_subprocess_alive()
    assert parent.should_exit.is_set() and parent.failed
