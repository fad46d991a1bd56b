"""The API key: the routes that need it, and the requests that carry it."""

import hmac
import re
from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, FastAPI, Security
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr
from starlette.types import Scope

from shared.errors import KeyMissing, KeyWrong

Headers = Iterable[tuple[bytes, bytes]]
"""The headers of a request as ASGI gives them: names in lower case, values as sent."""


async def _state_the_key(
    _key: Annotated[str | None, Security(APIKeyHeader(name="X-API-Key", auto_error=False))],
    _bearer: Annotated[HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False))],
) -> None:
    """Describe in OpenAPI how a request carries the key. The envelope has checked it by now."""


ApiKeyRequired = Depends(_state_the_key)
"""Among a route's `dependencies`, states that the route needs the API key."""


class KeyCheck:
    """Checks the API key of requests by their head alone, before their body is read.

    Without a configured key it lets every request pass.
    """

    def __init__(self, key: SecretStr | None, api: FastAPI) -> None:
        # Python escapes the bytes of a variable that are not UTF-8; a header has them as they are.
        self._key = None if key is None else key.get_secret_value().encode(errors="surrogateescape")
        self._routes: dict[str, list[tuple[re.Pattern[str], APIRoute]]] = {}
        if key is None:
            return
        for found in iter_route_contexts(api.routes):
            route = found.original_route
            if isinstance(route, APIRoute) and ApiKeyRequired in found.dependencies:
                for method in route.methods or ():
                    self._routes.setdefault(method, []).append((found.path_regex, route))

    def check(self, scope: Scope) -> None:
        """Check the key of a request that FastAPI will route, if its route needs the key.

        Names the route in the scope of a request that is refused, as FastAPI would have done.

        Raises:
            KeyMissing: The request carries no key.
            KeyWrong: The request carries another key.
        """
        for pattern, route in self._routes.get(scope["method"], ()):
            found = pattern.match(scope["path"])
            if found:
                scope["route"], scope["path_params"] = route, found.groupdict()
                self.check_headers(scope["headers"])

    def check_headers(self, headers: Headers) -> None:
        """Check the key in the headers of a request whose route needs it.

        Raises:
            KeyMissing: The request carries no key.
            KeyWrong: The request carries another key.
        """
        if self._key is None:
            return
        given = _given(headers)
        if not given:
            raise KeyMissing(
                "this call needs the API key, and the request carries none; send it in the header "
                "X-API-Key, or as a Bearer token"
            )
        if not hmac.compare_digest(given, self._key):
            raise KeyWrong("the request carries another key than the API key of this server")


def _given(headers: Headers) -> bytes:
    """Return the key that the headers carry; empty if they carry none."""
    first: dict[bytes, bytes] = {}
    for name, value in headers:
        first.setdefault(name, value)
    key = first.get(b"x-api-key")
    if key:
        return key
    scheme, _, credentials = first.get(b"authorization", b"").partition(b" ")
    return credentials.strip() if scheme.lower() == b"bearer" else b""
