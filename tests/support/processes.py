"""The product's real processes, started and stopped by tests, each logging to a file."""

import contextlib
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil
import redis

from local import redis_server
from shared.runtime import redis_url
from shared.runtime.redis_client import connect
from tests.support import artifacts

# Named again, because most tests take all that they need from here.
from tests.support.client import LONG_SECONDS as LONG_SECONDS
from tests.support.client import RUN_SECONDS as RUN_SECONDS
from tests.support.client import Client
from tests.support.client import http_client as http_client
from tests.support.client import wait_for as wait_for

ROOT = Path(__file__).parents[2]
_FIRST_PORT, _PORTS = 10_000, 22_000

_reserved: list[socket.socket] = []


def free_port() -> int:
    """Return a port of TCP that nothing uses, and that nobody else is given meanwhile.

    Outgoing connections get theirs from 32,768 on. Other tests, in this process or another, ask
    here: the UDP port of the same number stays bound until this process ends, and says that the
    port is taken while the server that will listen there is still starting.
    """
    while True:
        port = _FIRST_PORT + secrets.randbelow(_PORTS)
        reservation = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            reservation.bind(("127.0.0.1", port))
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            reservation.close()
            continue
        _reserved.append(reservation)
        return port


class Process:
    """A process in a group of its own, killed with the group when the test ends.

    A test that fails keeps its log and its settings (`artifacts`).
    """

    def __init__(
        self,
        arguments: Sequence[str],
        log: Path,
        environment: dict[str, str],
        folder: Path | None = None,
    ) -> None:
        self.log = log
        self._arguments = list(arguments)
        self._environment = environment
        self._has_ended = False
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                arguments,
                # Not the checkout, where a developer's .env may lie.
                cwd=folder or log.parent,
                env=clean_environment() | {"PYTHONPATH": str(ROOT)} | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        artifacts.keep_of(self)

    @property
    def pid(self) -> int:
        return self._process.pid

    def output(self) -> str:
        # A character of several bytes may be half written.
        return self.log.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """To this process alone, as `docker stop` and an out-of-memory killer do."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL to this process alone; its children learn of it themselves."""
        self._process.kill()
        self.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Asks the process to end and waits for it; its exit status."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self, seconds: float = LONG_SECONDS) -> int:
        return self._process.wait(seconds)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()
        self._has_ended = True

    def has_ended(self) -> bool:
        return self._has_ended

    def keep(self, folder: Path) -> None:
        """Write the log into the folder, and how the process was started and what became of it."""
        name = f"{self.log.stem}-{self.pid}"
        if self.log.exists():
            shutil.copy(self.log, folder / f"{name}.log")
        status = self._process.poll()
        (folder / f"{name}.txt").write_text(
            f"{shlex.join(self._arguments)}\n"
            f"{'runs' if status is None else f'exit status {status}'}\n"
            + "".join(f"{name}={value}\n" for name, value in sorted(self._environment.items()))
        )


def clean_environment() -> dict[str, str]:
    """This environment without the settings of whoever runs the tests, or of a make around them.

    Python may keep its bytecode: without it each process compiles the product anew, for 0.4 s. A
    fit has one thread: on a machine of two busy cores, a second makes it ten times as long.
    """
    other = ("LIFEBOAT_", "MAKE", "MFLAGS", "ARGS", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(other)}
    return {"OMP_NUM_THREADS": "1"} | kept


def variables(settings: Mapping[str, str]) -> dict[str, str]:
    """Return settings, by their names in `Settings`, as variables."""
    return {f"LIFEBOAT_{name.upper()}": value for name, value in settings.items()}


def environment_of(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command of the checkout with these settings and no others."""
    return clean_environment() | {"PYTHONPATH": str(ROOT)} | variables(settings)


class RedisServer:
    """The embedded server, with its data in a folder, so that it can be stopped and come back."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._started: list[Process] = []
        self.client: redis.Redis = connect(redis_url.RedisServer(self.url))
        folder.mkdir()
        self.start()

    def start(self) -> None:
        server = redis_server.executable()
        assert server is not None, "no Redis server; `make test` installs one"
        arguments = [server, *redis_server.arguments(self.port, self._folder)]
        self._started.append(Process(arguments, self._folder / "redis.log", {}))
        wait_for(self._answers, why=self._started[-1].output)

    def stop(self) -> None:
        self._started[-1].stop()

    def kill(self) -> None:
        self._started[-1].kill()

    def forget(self) -> None:
        """Deletes the data of a server that is down."""
        shutil.rmtree(self._folder / "appendonlydir")

    def freeze(self) -> None:
        self._started[-1].send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._started[-1].send(signal.SIGCONT)

    def end(self) -> None:
        self.client.close()
        for process in self._started:
            process.end()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


class Stack:
    """Redis, and as many API and worker processes as a test starts, over one models folder."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.models_dir = folder / "models"
        self.redis = RedisServer(folder / "redis")
        self.settings = {"model": str(ROOT / "examples" / "titanic")} | settings
        self.environment: dict[str, str] = {}
        """Variables that are not settings."""
        self._processes: list[Process] = []
        self._apis: list[Api] = []

    def start_api(self, *, processes: int = 1, port: int | None = None, **settings: str) -> "Api":
        port = port or free_port()
        process = self._start(
            [sys.executable, "-m", "api"],
            f"api-{len(self._apis)}-{port}",
            port=str(port),
            api_workers=str(processes),
            **settings,
        )
        api = Api(f"http://127.0.0.1:{port}", process)
        self._apis.append(api)
        ready = "Application startup complete"
        wait_for(
            lambda: process.output().count(ready) == processes and api.is_live(),
            why=process.output,
        )
        return api

    def start_worker(self, **settings: str) -> Process:
        name = f"worker-{len(self._processes)}"
        process = self._start(
            [sys.executable, "-m", "worker", "--hostname", name],
            name,
            **settings,
        )
        wait_for(lambda: f"{name} ready" in process.output(), why=process.output)
        return process

    def end(self) -> None:
        for api in self._apis:
            api.http.close()
        for process in reversed(self._processes):
            process.end()
        self.redis.end()

    def _start(self, arguments: list[str], log: str, **settings: str) -> Process:
        settings = {
            "redis_url": self.redis.url,
            "models_dir": str(self.models_dir),
            # By default relative, and the working folder is none of the checkout's.
            "model": str(ROOT / "examples" / "titanic"),
            **self.settings,
            **settings,
        }
        environment = variables(settings) | self.environment
        process = Process(arguments, self.folder / f"{log}.log", environment)
        self._processes.append(process)
        return process


class Api(Client):
    """A client of an API whose process a test has started."""

    def __init__(self, url: str, process: Process | None = None) -> None:
        super().__init__(url)
        self._process = process

    @property
    def pid(self) -> int:
        """Of the supervisor, where there are several processes."""
        assert self._process is not None
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send(number)

    def is_running(self) -> bool:
        assert self._process is not None
        return self._process.is_running()

    def ask_to_stop(self) -> None:
        self.send(signal.SIGTERM)

    def stop(self) -> int:
        """Asks all processes to end and waits for them; the exit status."""
        assert self._process is not None
        return self._process.stop()

    def log(self) -> str:
        assert self._process is not None
        return self._process.output()


def children(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def processes_of(models_dir: Path) -> list[psutil.Process]:
    """Processes that a test started with this models folder, at any depth.

    They carry it in their environment; the Redis server overwrites its own, and works beside it.
    """

    def found() -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if str(models_dir) in process.environ().values() or process.cwd().startswith(
                    str(redis_server.data_folder(models_dir))
                ):
                    yield process

    return list(found())
