"""API processes are replaced or stopped under load, and no request that they took is lost."""

import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.faults.conftest import Figure, Times
from tests.support.processes import LONG_SECONDS, Api, Stack, wait_for
from tests.support.rolling_restart import restart
from tests.support.steady_client import LARGE, SMALL, SteadyClient
from tests.support.versions import publish

_LAST_REQUEST_SECONDS = 0.5
"""For so long an idle connection may bring one more request (`api.http.connection`)."""
_TRIES = 30
"""One of them is quick enough, also on a machine that has much else to do."""


@contextmanager
def _clients(api: Api, *, small: int, large: int) -> Iterator[list[SteadyClient]]:
    clients = [SteadyClient(api.port, SMALL) for _ in range(small)]
    clients += [SteadyClient(api.port, LARGE) for _ in range(large)]
    for client in clients:
        client.start()
    try:
        wait_for(lambda: all(client.answered for client in clients))
        yield clients
    finally:
        for client in clients:
            client.stop()


def _refuses(api: Api) -> bool:
    try:
        socket.create_connection(("127.0.0.1", api.port)).close()
    # Refused, or reset in the instant of closing.
    except ConnectionError:
        return True
    return False


def _ask_to_stop_and_wait_until_refused(api: Api) -> None:
    api.ask_to_stop()
    while not _refuses(api):
        assert api.is_running(), "the port was open until the end"


def test_a_rolling_restart_loses_no_request_and_refuses_no_connection(
    stack: Stack, times: Times, figure: Figure
) -> None:
    publish(stack.models_dir)
    api = stack.start_api(processes=2)
    restarts = times(1, 50)
    with _clients(api, small=4, large=1) as clients:
        for _ in range(restarts):
            restart(lambda: api.send(signal.SIGHUP), api.log, processes=2)
    for client in clients:
        assert (client.refused, client.lost_when_new, client.lost_when_kept) == ([], [], [])
        assert client.wrong == []
    assert sum(client.closed_politely for client in clients) > 0
    figure(
        f"{restarts} rolling restarts of 2 processes: "
        f"{sum(len(client.answered) for client in clients):,} requests answered, none lost, "
        "no connection refused."
    )


@pytest.mark.thorough
def test_a_stop_under_load_loses_no_request_that_a_process_has_taken(
    stack: Stack, times: Times
) -> None:
    publish(stack.models_dir)
    for _ in range(times(1, 20)):
        api = stack.start_api(processes=2)
        with _clients(api, small=4, large=1) as clients:
            assert api.stop() == 0
        for client in clients:
            assert (client.wrong, client.lost_when_kept) == ([], [])
            # The kernel had let it connect, and no process had taken it yet: cut off once, when the
            # last process stops listening, and refused from then on.
            assert len(client.lost_when_new) <= 1


@contextmanager
def _kept_connection(api: Api) -> Iterator[http.client.HTTPConnection]:
    """One that a process has taken."""
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=LONG_SECONDS)
    with closing(connection):
        assert _predict(connection) is None
        yield connection


def _predict(connection: http.client.HTTPConnection) -> str | None:
    """What the answer says about the connection."""
    connection.request("POST", "/predict", SMALL, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200
    return answer.getheader("Connection")


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_a_request_in_flight_is_answered_while_new_connections_are_refused(
    stack: Stack, processes: int
) -> None:
    publish(stack.models_dir)
    api = stack.start_api(processes=processes)
    with _kept_connection(api) as connection:
        connection.putrequest("POST", "/predict")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(LARGE)))
        connection.endheaders(LARGE[:1000].encode())
        _ask_to_stop_and_wait_until_refused(api)
        connection.send(LARGE[1000:].encode())
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (200, "close")
        assert len(json.loads(answer.read())["predictions"]) == 5_000


def test_a_request_that_crosses_with_the_closing_of_its_connection_is_answered(
    stack: Stack,
) -> None:
    publish(stack.models_dir)
    for _ in range(_TRIES):
        api = stack.start_api()
        with _kept_connection(api) as connection:
            asked = time.monotonic()
            _ask_to_stop_and_wait_until_refused(api)
            try:
                assert _predict(connection) == "close"
                return
            except OSError:
                # This process was held up for so long that the connection was idle for too long.
                assert time.monotonic() - asked > _LAST_REQUEST_SECONDS
    pytest.fail("no request was sent in time")
