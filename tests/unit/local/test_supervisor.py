import io
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

import pytest

from local import supervisor as module
from local.output import Output
from local.supervisor import Program, Supervisor
from shared.runtime.pauses import Pauses


class Fake:
    """A process that ends when it is let go, unless it is deaf, or when a test ends it."""

    def __init__(self, name: str, *, is_deaf: bool = False) -> None:
        self.name = name
        self.pid = 1
        self.stdout: BinaryIO = io.BytesIO(b"hello\n")
        self.was_let_go = self.was_killed = False
        self._is_deaf = is_deaf
        self._ended: queue.Queue[int] = queue.Queue()

    def end(self, status: int) -> None:
        self._ended.put(status)

    def wait(self) -> int:
        return self._ended.get(timeout=10)

    def let_go(self) -> None:
        self.was_let_go = True
        if not self._is_deaf:
            self.end(-signal.SIGTERM)

    def kill(self) -> None:
        self.was_killed = True
        self.end(-signal.SIGKILL)


class Bench:
    """A supervisor in a thread, and the processes that it has started."""

    def __init__(self, *programs: Program, launch: Callable[[Program], Fake] | None = None) -> None:
        self.started: queue.Queue[Fake] = queue.Queue()
        self.said = io.BytesIO()
        self._make = launch or (lambda program: Fake(program.name))
        self._output = Output(self.said, ["lifeboat", "worker", "redis", "api"])
        self.supervisor = Supervisor(list(programs), self._launch, self._output)
        self.status: int | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _launch(self, program: Program) -> Fake:
        fake = self._make(program)
        self.started.put(fake)
        return fake

    def _run(self) -> None:
        self.status = self.supervisor.run()

    def next(self) -> Fake:
        return self.started.get(timeout=10)

    def join(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()

    def text(self) -> str:
        self._output.close()
        return self.said.getvalue().decode()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(Pauses, "FIRST", 0.001)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench(Program("worker", []), Program("redis", []))
    yield bench
    bench.supervisor.end(0)
    bench.join()


def test_pauses_grow_to_half_a_minute_and_begin_anew_after_it_ran_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    pauses = Pauses()
    assert [pauses.after(0.5) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert [pauses.after(seconds) for seconds in (59, 60, 1)] == [30, 1, 2]


def test_what_ends_is_started_again_and_nothing_else_is_touched(bench: Bench) -> None:
    first = {fake.name: fake for fake in (bench.next(), bench.next())}
    for status in (-signal.SIGKILL, 0, 3):
        first["worker"].end(status)
        first["worker"] = bench.next()
        assert first["worker"].name == "worker"
    assert not first["redis"].was_let_go and bench.started.empty()
    said = bench.text()
    assert "worker was ended by SIGKILL; it is started again" in said
    assert "worker ended with status 0; " in said and "worker ended with status 3; " in said
    assert said.count("worker   | hello") >= 3


def test_when_it_is_asked_to_end_everything_is_let_go_and_nothing_started_again() -> None:
    bench = Bench(Program("worker", []), Program("redis", []))
    fakes = [bench.next(), bench.next()]
    bench.supervisor.end(143)
    bench.supervisor.end(130)
    bench.join()
    assert bench.status == 143
    assert all(fake.was_let_go for fake in fakes)
    assert bench.started.empty() and "again" not in bench.text()


def test_what_does_not_end_in_time_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KILL_SECONDS", 0.01)
    bench = Bench(Program("worker", []), launch=lambda program: Fake("worker", is_deaf=True))
    deaf = bench.next()
    bench.supervisor.end(0)
    bench.join()
    assert deaf.was_let_go and deaf.was_killed


def test_an_api_that_never_worked_ends_everything_with_a_sentence() -> None:
    bench = Bench(Program("redis", []), Program("api", [], has_worked=lambda: False))
    fakes = {fake.name: fake for fake in (bench.next(), bench.next())}
    fakes["api"].end(1)
    bench.join()
    assert bench.status == 1 and fakes["redis"].was_let_go
    assert "api ended with status 1 before it has worked once" in bench.text()


def test_a_program_that_cannot_be_started_is_tried_again() -> None:
    tries: list[str] = []

    def launch(program: Program) -> Fake:
        tries.append(program.name)
        if len(tries) < 3:
            raise OSError(11, "Resource temporarily unavailable")
        return Fake(program.name)

    bench = Bench(Program("worker", []), launch=launch)
    bench.next()
    bench.supervisor.end(0)
    bench.join()
    assert len(tries) == 3
    assert "worker could not be started (Resource temporarily unavailable)" in bench.text()


def test_when_nobody_wants_it_any_more_it_ends() -> None:
    supervisor = Supervisor(
        [Program("worker", [])],
        lambda program: Fake(program.name),
        Output(io.BytesIO(), ["worker"]),
    )
    assert supervisor.run(lambda: False) == 0
