"""The API keys: what needs one, and which requests carry one."""

import hmac
from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import Scope

from shared.errors import KeyMissing, KeyWrong

Headers = Iterable[tuple[bytes, bytes]]
"""The headers of a request as ASGI gives them: names in lower case, values as sent."""

_OPEN = frozenset({"/", "/docs", "/openapi.json"})
_OPEN_BELOW = ("/health/", "/v2/health/", "/page/", "/docs/")
"""What needs no key though everything else does: it says how the process is, and holds no data."""

_CHECKED = "lifeboat.key_checked"


async def _state_the_key(
    request: Request,
    _key: Annotated[str | None, Security(APIKeyHeader(name="X-API-Key", auto_error=False))],
    _bearer: Annotated[HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False))],
) -> None:
    """Describe in OpenAPI how a request carries the key, which has been checked by now."""
    if not request.scope.get(_CHECKED):
        raise RuntimeError(f"the API key of {request.scope['path']} was not checked")


ApiKeyRequired = Depends(_state_the_key)
"""Among a route's `dependencies`, states that the route needs the API key. It refuses a request
whose key `KeyCheck` has not checked, by whatever way the request came."""


class KeyCheck:
    """Checks the API key of requests by their head alone, before their body is read.

    Each of the keys opens. Without a key, every request passes.
    """

    def __init__(self, keys: Iterable[str] = (), *, for_everything: bool = False) -> None:
        # Python escapes the bytes of a variable that are not UTF-8; a header has them as they are.
        self._keys = [key.encode(errors="surrogateescape") for key in keys]
        several = len(self._keys) > 1
        self._names = [f"key {place}" if several else "" for place in range(1, len(self._keys) + 1)]
        self._for_everything = for_everything

    def is_needed(self, path: str, stated: bool) -> bool:
        """Return whether a path needs a key; `stated`, if its route says so."""
        if not self._keys:
            return False
        is_open = path in _OPEN or path.startswith(_OPEN_BELOW)
        return stated or (self._for_everything and not is_open)

    def check(self, scope: Scope, path: str, stated: bool) -> str:
        """Check the key of a request to a path of FastAPI's, if that path needs a key.

        Return which of several keys has opened, such as "key 2"; empty if there is one, or none.

        Raises:
            KeyMissing: The request carries no key.
            KeyWrong: The request carries another key.
        """
        opened = ""
        if self.is_needed(path, stated):
            opened = self.check_headers(scope["headers"])
            scope[_CHECKED] = True
        elif not self._keys:
            scope[_CHECKED] = True
        return opened

    def check_headers(self, headers: Headers) -> str:
        """Check the key in the headers of a request that needs one.

        Return which of several keys has opened, such as "key 2"; empty if there is one.

        Raises:
            KeyMissing: The request carries no key.
            KeyWrong: The request carries another key.
        """
        given = _given(headers)
        if not given:
            raise KeyMissing(
                "this call needs the API key, and the request carries none; send it in the header "
                "X-API-Key, or as a Bearer token"
            )
        # Each key is compared, so that the time does not tell which one was near.
        matches = [hmac.compare_digest(given, key) for key in self._keys]
        if True not in matches:
            raise KeyWrong("the request carries another key than the API key of this server")
        return self._names[matches.index(True)]


def _given(headers: Headers) -> bytes:
    """Return the key that the headers carry; empty if they carry none."""
    first: dict[bytes, bytes] = {}
    for name, value in headers:
        first.setdefault(name, value)
    key = first.get(b"x-api-key", b"").strip(b" \t")
    if key:
        return key
    scheme, _, credentials = first.get(b"authorization", b"").partition(b" ")
    return credentials.strip() if scheme.lower() == b"bearer" else b""
