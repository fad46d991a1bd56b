"""Trusted proxies say who the client of a call is, for the log, and nobody else can."""

from typing import Any

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from api import limits
from api.http.forwarded import Forwarded

PROXIES = ["10.0.0.1", "172.16.0.0/12", "fd00::/8"]


def client(
    peer: str | None, *forwarded: str, method: str = "PUT", proxies: list[str] = PROXIES
) -> str | None:
    """Whom the application takes for the client."""
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["client"])

    async def receive() -> Message:
        raise AssertionError

    async def send(_: Message) -> None:
        raise AssertionError

    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    scope = {
        **{"type": "http", "method": method, "path": "/", "headers": headers},
        "client": None if peer is None else (peer, 4711),
    }
    anyio.run(Forwarded(app, proxies), scope, receive, send)
    (found,) = seen
    return None if found is None else str(found[0])


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("172.20.0.3", ["2001:db8::7"], "2001:db8::7"),
        ("fd00::2", ["203.0.113.7:4711"], "203.0.113.7"),
        ("10.0.0.1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        # What listens for IPv4 and IPv6 at once sees IPv4 so.
        ("::ffff:10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        # Two proxies, and what the client itself claims.
        ("10.0.0.1", ["198.51.100.1, 203.0.113.7, 172.16.0.9"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.7", "172.16.0.9"], "203.0.113.7"),
        # A client that is a trusted proxy itself.
        ("10.0.0.1", ["172.16.0.9"], "172.16.0.9"),
        ("10.0.0.1", [], "10.0.0.1"),
    ],
)
def test_a_trusted_proxy_says_who_the_client_is(
    method: str, peer: str, forwarded: list[str], expected: str
) -> None:
    assert client(peer, *forwarded, method=method) == expected


@pytest.mark.parametrize("peer", ["203.0.113.7", "10.0.0.2", "testclient", "::1"])
def test_nobody_else_does(peer: str) -> None:
    assert client(peer, "198.51.100.1") == peer


@pytest.mark.parametrize(
    "forged", ["nonsense", "", "203.0.113.7 api_key=key", "203.0.113.300", "unknown", "a,,", "é"]
)
def test_what_is_not_an_address_is_not_logged(forged: str) -> None:
    assert client("10.0.0.1", forged) == "10.0.0.1"


def test_the_zone_of_an_address_is_left_out() -> None:
    assert client("10.0.0.1", "fe80::7%forged name") == "fe80::7"


def test_without_an_address_of_its_own_a_connection_has_none() -> None:
    """As over a Unix socket."""
    assert client(None, "203.0.113.7") is None


def test_a_list_without_end_is_read_to_its_limit() -> None:
    trusted = [f"172.16.0.{number}" for number in range(100)]
    assert client("10.0.0.1", ",".join(trusted)) == trusted[-limits.FORWARDED_HOPS]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_calls_are_passed_on_as_they_came(method: str) -> None:
    assert client("10.0.0.1", "203.0.113.7", method=method) == "10.0.0.1"
