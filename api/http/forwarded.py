"""The address of the client behind proxies that settings trust, for the log."""

import ipaddress
from collections.abc import Iterable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from api import limits
from api.http.envelope import CHANGES
from api.http.key import Headers

_HEADER = b"x-forwarded-for"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Forwarded:
    """Takes the client's address from `X-Forwarded-For`, if a trusted proxy has sent the request.

    Only for calls that change something: nothing else asks who the client is. Each proxy appends
    the address that it was called from, and whatever stands before that may be forged. So the
    client is the last address of the list that is not a trusted proxy's.
    """

    def __init__(self, app: ASGIApp, proxies: Iterable[str]) -> None:
        self._app = app
        self._networks = [ipaddress.ip_network(proxy) for proxy in proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in CHANGES:
            scope = {**scope, "client": self._client(scope.get("client"), scope["headers"])}
        await self._app(scope, receive, send)

    def _client(self, peer: Any, headers: Headers) -> Any:
        address = None if peer is None else _address(peer[0])
        given = b",".join(value for name, value in headers if name == _HEADER).decode("latin-1")
        hops = given.rsplit(",", limits.FORWARDED_HOPS)[-limits.FORWARDED_HOPS :]
        client = peer
        while hops and address is not None and self._trusts(address):
            address = _address(hops.pop())
            if address is not None:
                client = (str(address), 0)
        return client

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _address(text: str) -> Address | None:
    """Return an address that may have a port, as some proxies write it; None if it is not one."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        # A zone is a name of anybody's choice.
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    # What listens for both kinds sees IPv4 in the clothes of IPv6.
    return getattr(address, "ipv4_mapped", None) or address
