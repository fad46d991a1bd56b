import os
import socket
from typing import Any, cast

import pytest
import redis

from api.limits import REPLICA_EXPIRES_SECONDS as EXPIRES_SECONDS
from api.serving import replicas as module
from api.serving.replicas import Replicas
from shared.runtime.redis_keys import process
from tests.support.clock import FakeTime


class FakeRedis:
    def __init__(self) -> None:
        self.sets: list[tuple[str, str, int]] = []
        self.error: Exception | None = None

    def set(self, key: str, value: str, *, ex: int) -> None:
        if self.error is not None:
            raise self.error
        self.sets.append((key, value, ex))

    def scan_iter(self, pattern: str, *, count: int) -> list[str]:
        # One comes twice, as in a scan of a table that grows.
        # One is of no process.
        keys = [process("b:2"), process("a:1"), process("b:2"), process("c:3"), process("x" * 1000)]
        return keys

    def mget(self, keys: list[str]) -> list[str | None]:
        values: dict[str, Any] = {
            process("a:1"): "",
            process("b:2"): "v2" + "x" * 1000,
            process("c:3"): None,
        }
        return [values[key] for key in keys]


@pytest.fixture
def server() -> FakeRedis:
    return FakeRedis()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    clock = FakeTime()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def replicas(server: FakeRedis, clock: FakeTime) -> Replicas:
    return Replicas(cast(redis.Redis, server))


def test_a_process_is_noted_under_its_host_and_pid_with_an_end(
    server: FakeRedis, replicas: Replicas
) -> None:
    replicas.note("v1")
    key = f"lifeboat:process:{socket.gethostname()}:{os.getpid()}"
    assert server.sets == [(key, "v1", EXPIRES_SECONDS)]


def test_a_swap_is_noted_at_once_and_the_same_version_well_before_its_note_expires(
    server: FakeRedis, replicas: Replicas, clock: FakeTime
) -> None:
    for version in (None, None, "v1", "v1", "v2"):
        replicas.note(version)
    assert [value for _, value, _ in server.sets] == ["", "v1", "v2"]
    del server.sets[:]
    for _ in range(60):
        clock.now += 1
        replicas.note("v2")
    assert 60 / EXPIRES_SECONDS * 2 <= len(server.sets) <= 60 / 2


def test_a_note_that_failed_is_made_at_the_next_look(server: FakeRedis, replicas: Replicas) -> None:
    server.error = redis.TimeoutError("frozen")
    with pytest.raises(redis.TimeoutError):
        replicas.note("v1")
    server.error = None
    replicas.note("v1")
    assert len(server.sets) == 1


def test_the_living_are_listed_once_each_in_order_and_with_bounds(replicas: Replicas) -> None:
    assert list(replicas.versions().items()) == [("a:1", None), ("b:2", "v2".ljust(64, "x"))]
