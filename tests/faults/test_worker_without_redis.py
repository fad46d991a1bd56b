"""Redis is away for long: the worker waits, is alive, and takes the next job up soon."""

import re
from pathlib import Path

import pytest

from tests.support.processes import Stack, wait_for


@pytest.fixture
def alive_file(stack: Stack, tmp_path: Path) -> Path:
    """What the container's health check looks at."""
    stack.environment = {"TMPDIR": str(tmp_path)}
    return tmp_path / "lifeboat-worker-alive"


def test_a_worker_without_redis_is_alive_and_tries_again_every_two_seconds(
    stack: Stack, alive_file: Path
) -> None:
    api, worker = stack.start_api(), stack.start_worker()
    first = api.wait_for_end(api.run_pipeline())
    assert first["status"] == "succeeded"
    stack.redis.stop()

    def intervals() -> list[str]:
        return re.findall(r"Trying again in (\S+) seconds", worker.output())

    wait_for(lambda: len(intervals()) >= 3)
    # Of its own Celery would wait 2 s, then 4 s, then 6 s, up to 30 s.
    assert set(intervals()) == {"2.00"}
    alive_file.unlink()
    wait_for(alive_file.exists)
    stack.redis.start()
    wait_for(lambda: api.http.get("/jobs").status_code == 200)
    assert api.wait_for_end(api.run_pipeline())["status"] == "succeeded"
    alive_file.unlink()
    wait_for(alive_file.exists)
