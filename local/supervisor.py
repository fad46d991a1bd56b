"""Keeps the programs of `make run` running, until it is asked to end them all."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from local.lifeline import GRACE_SECONDS
from local.output import Output
from shared.runtime.pauses import Pauses

OWN_NAME = "lifeboat"

_LOOK_SECONDS = 0.1
_KILL_SECONDS = GRACE_SECONDS + 2


@dataclass
class Program:
    name: str
    arguments: list[str]
    has_worked: Callable[[], bool] = field(default=lambda: True)
    """Whether it makes sense to start the program again. If not, all is ended when it ends."""


class Running(Protocol):
    """A process of a program."""

    pid: int
    stdout: BinaryIO

    def wait(self) -> int: ...
    def let_go(self) -> None:
        """Ask the process to end, as the end of this process would."""

    def kill(self) -> None:
        """Kill the process, and whatever it has started."""


class Supervisor:
    """Starts programs, and starts each again that ends, with growing pauses."""

    def __init__(
        self, programs: list[Program], launch: Callable[[Program], Running], output: Output
    ) -> None:
        self._programs = programs
        self._launch = launch
        self._output = output
        self._running: dict[str, Running] = {}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._status: int | None = None

    def end(self, status: int) -> None:
        """Have `run` end everything and return this status; a signal handler may call this."""
        if self._status is None:
            self._status = status

    def run(self, is_wanted: Callable[[], bool] = lambda: True) -> int:
        """Run the programs until `end` is called, or nobody wants them any more."""
        threads = [
            threading.Thread(target=self._keep, args=(program,), name=program.name, daemon=True)
            for program in self._programs
        ]
        for thread in threads:
            thread.start()
        # Handlers of signals run in this thread, which must hold no lock then.
        while self._status is None and is_wanted():
            time.sleep(_LOOK_SECONDS)
        with self._lock:
            self._ending.set()
            for running in self._running.values():
                running.let_go()
        deadline = time.monotonic() + _KILL_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for running in list(self._running.values()):
            running.kill()
        self._output.close()
        return self._status or 0

    def _keep(self, program: Program) -> None:
        pauses = Pauses()
        while True:
            began = time.monotonic()
            try:
                ended = self._run_once(program)
            except OSError as error:
                ended = f"could not be started ({error.strerror or error})"
            if ended is None or self._ending.is_set():
                return
            if not program.has_worked():
                self._output.say(
                    OWN_NAME,
                    f"{program.name} {ended} before it has worked once; what it said of "
                    "the reason is above. Put it right, and start again",
                )
                return self.end(1)
            pause = pauses.after(time.monotonic() - began)
            self._output.say(
                OWN_NAME, f"{program.name} {ended}; it is started again in {pause:g} s"
            )
            if self._ending.wait(pause):
                return

    def _run_once(self, program: Program) -> str | None:
        """Run a program to its end and say how it ended; None if all is being ended."""
        with self._lock:
            if self._ending.is_set():
                return None
            running = self._running[program.name] = self._launch(program)
        self._output.say(OWN_NAME, f"{program.name} started (pid={running.pid})")
        reader = threading.Thread(
            target=self._output.copy, args=(program.name, running.stdout), daemon=True
        )
        reader.start()
        status = running.wait()
        # What it has started holds its output open, its port and its files.
        running.kill()
        reader.join(1.0)
        with self._lock:
            del self._running[program.name]
        return f"was ended by {_signal(-status)}" if status < 0 else f"ended with status {status}"


class Launched:
    """A process in a session of its own, on a lifeline (`local/lifeline.py`)."""

    def __init__(self, program: Program, environment: dict[str, str], folder: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local.lifeline", *program.arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout
        self.pid = self._process.pid
        self.stdout: BinaryIO = self._process.stdout  # type: ignore[assignment]
        self._lifeline = self._process.stdin

    def wait(self) -> int:
        return self._process.wait()

    def let_go(self) -> None:
        self._lifeline.close()

    def kill(self) -> None:
        # macOS answers EPERM for a group of which nobody is left but the dead.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
