"""API processes are killed under load: each is replaced, and the others notice nothing."""

import os
import signal
import threading

import pytest

from shared.runtime.redis_keys import VERSION
from tests.faults.conftest import Times
from tests.support.connections import Client, clients_of_each_process, to_each_process
from tests.support.processes import Api, Stack, wait_for
from tests.support.versions import publish

_PROCESSES = 2
_CLIENTS_OF_EACH = 2


def _kill_under_load(api: Api, victim: int | None) -> int:
    """Kills a process (None: whichever) under load on each; a process that was not killed."""
    with clients_of_each_process(api, _PROCESSES, _CLIENTS_OF_EACH) as clients:
        victim = victim or min(clients)
        starts = api.log().count("Application startup complete")
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: api.log().count("Application startup complete") > starts)
        for of_one in clients.values():
            _wait_for_answers(of_one)
    theirs = clients.pop(victim)
    # What was in flight: no more than one request on a connection.
    assert all(len(client.failures) <= 1 for client in theirs)
    (survivor,) = clients
    assert [client.failures for client in clients[survivor]] == [[]] * _CLIENTS_OF_EACH
    return survivor


def _wait_for_answers(clients: list[Client]) -> None:
    before = [len(client.answers) for client in clients]
    wait_for(
        lambda: all(len(c.answers) > b + 10 for c, b in zip(clients, before, strict=True)),
        why="no answers",
    )


def test_a_killed_api_process_loses_only_its_own_requests_and_is_replaced(
    stack: Stack, times: Times
) -> None:
    stack.redis.client.set(VERSION, publish(stack.models_dir))
    api = stack.start_api(processes=_PROCESSES)
    # One after the other: each time the one that was left before.
    victim: int | None = None
    for _ in range(times(2, 20)):
        victim = _kill_under_load(api, victim)
    with to_each_process(api, _PROCESSES) as connections:
        assert len(connections) == _PROCESSES


@pytest.mark.thorough
def test_a_process_killed_while_its_parent_waits_for_a_sign_of_life_is_replaced_at_once(
    stack: Stack,
) -> None:
    publish(stack.models_dir)
    api = stack.start_api(processes=_PROCESSES)
    with to_each_process(api, _PROCESSES) as connections:
        victim = min(connections)
        os.kill(victim, signal.SIGSTOP)
        # Longer than from one look of the parent to the next.
        threading.Event().wait(2)
        os.kill(victim, signal.SIGKILL)
    # Less than the 30 s that a sign of life may take, of which 2 s are over.
    wait_for(lambda: api.log().count("Application startup complete") == _PROCESSES + 1, seconds=27)
