"""One API process that serves one version, for tests that need no worker."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.runtime.redis_keys import VERSION
from tests.support.processes import Api, Stack
from tests.support.versions import publish


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[Api]:
    """Give a client of the process, which ends afterwards."""
    stack = Stack(folder, **settings)
    try:
        version = publish(stack.models_dir)
        stack.redis.client.set(VERSION, version)
        api = stack.start_api()
        api.wait_for_version(version)
        yield api
    finally:
        stack.end()
