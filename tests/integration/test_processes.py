"""Which version each API process serves, as any of them tells it."""

import os
import signal
import socket

import pytest

from shared.runtime.redis_keys import PROCESS_PREFIX, VERSION
from tests.support.connections import to_each_process
from tests.support.processes import Api, Stack, http_client, wait_for
from tests.support.versions import publish


def _listed(api: Api) -> dict[str, str | None]:
    answer = api.http.get("/processes")
    assert answer.status_code == 200, answer.text
    found = answer.json()["processes"]
    names = [each["process"] for each in found]
    assert names == sorted(names)
    return {each["process"]: each["model_version"] for each in found}


def _serving(api: Api, version: str | None) -> set[str]:
    """The names of its processes, by their connections, when each is listed with that version."""
    with to_each_process(api, 2) as connections:
        names = {f"{socket.gethostname()}:{pid}" for pid in connections}
    expected = dict.fromkeys(names, version)
    wait_for(lambda: expected.items() <= _listed(api).items(), why=lambda: _listed(api))
    return names


def test_each_process_is_listed_with_what_it_serves_and_no_longer_than_it_lives(
    stack: Stack,
) -> None:
    first, second = publish(stack.models_dir), publish(stack.models_dir)
    stack.redis.client.set(VERSION, first)
    api = stack.start_api(processes=2)
    names = _serving(api, first)
    assert _listed(api).keys() == names

    stack.redis.client.set(VERSION, second)
    assert _serving(api, second) == names

    victim = min(names)
    os.kill(int(victim.rpartition(":")[2]), signal.SIGKILL)
    # Its connection may be with the one that was killed.
    api.http.close()
    api.http = http_client(api.url)
    wait_for(lambda: victim not in _listed(api), why="the dead one is listed")
    wait_for(lambda: len(_listed(api)) == 2, why="its successor is not listed")
    assert _serving(api, second) >= names - {victim}


def test_the_processes_of_all_who_share_the_redis_are_listed_until_they_are_stopped(
    stack: Stack,
) -> None:
    one, other = stack.start_api(), stack.start_api()
    wait_for(lambda: len(_listed(one)) == 2)
    assert set(_listed(other).values()) == {None}
    one.stop()
    # Not left to expire: read at once.
    assert len(_listed(other)) == 1
    other.stop()
    assert not stack.redis.client.keys(f"{PROCESS_PREFIX}*")


@pytest.mark.thorough
def test_a_process_is_listed_again_soon_after_redis_was_emptied_or_frozen(stack: Stack) -> None:
    version = publish(stack.models_dir)
    api = stack.start_api()
    wait_for(lambda: set(_listed(api).values()) == {version})
    stack.redis.client.flushall()
    wait_for(lambda: set(_listed(api).values()) == {version})
    stack.redis.freeze()
    wait_for(lambda: api.http.get("/health/ready").json()["redis"] == "down")
    assert api.http.get("/processes").status_code == 503
    stack.redis.thaw()
    wait_for(lambda: api.http.get("/processes").status_code == 200)
    wait_for(lambda: set(_listed(api).values()) == {version})
