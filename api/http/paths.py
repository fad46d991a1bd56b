"""The routes behind the paths of the API, found by the head of a request as FastAPI finds them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Scope

from api.http.key import ApiKeyRequired


@dataclass(frozen=True, slots=True)
class KnownRoute:
    path: str
    pattern: re.Pattern[str]
    methods: frozenset[str]
    states_the_key: bool
    predicts: bool
    route: BaseRoute


class Paths:
    """The routes of an application; those in `predicting` take the bodies of predictions."""

    def __init__(self, api: FastAPI, predicting: Iterable[BaseRoute] = ()) -> None:
        self._by_method: dict[str, list[KnownRoute]] = {}
        for known in _known_routes(api, [*predicting]):
            for method in known.methods:
                self._by_method.setdefault(method, []).append(known)

    def find(self, scope: Scope) -> KnownRoute | None:
        """Return the route that FastAPI will choose, and name it in the scope as FastAPI does."""
        path = route_path(scope)
        for known in self._by_method.get(scope["method"], ()):
            found = known.pattern.match(path)
            if found:
                if isinstance(known.route, APIRoute):
                    scope["route"], scope["path_params"] = known.route, found.groupdict()
                return known
        return None


def allowed_methods(api: FastAPI, scope: Scope) -> list[str]:
    """Return the methods of all routes of a path; Starlette names those of the first route."""
    path = route_path(scope)
    found = [known for known in _known_routes(api) if known.pattern.match(path)]
    exact = [known for known in found if known.path == path]
    methods = {method for known in exact or found for method in known.methods}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def route_path(scope: Scope) -> str:
    """Return the path that FastAPI matches: without the root path that a server may set."""
    path: str = scope["path"]
    # Inside of a mount, `root_path` is the path of the mount.
    root = scope.get("app_root_path", scope.get("root_path", ""))
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


def _known_routes(api: FastAPI, predicting: Iterable[BaseRoute] = ()) -> Iterator[KnownRoute]:
    for found in iter_route_contexts(api.routes):
        route = found.original_route
        if isinstance(route, Mount):
            yield KnownRoute(route.path, route.path_regex, frozenset({"GET"}), False, False, route)
        elif isinstance(route, Route):
            yield KnownRoute(
                found.path or route.path,
                found.path_regex,
                frozenset(found.methods or ()),
                isinstance(route, APIRoute) and ApiKeyRequired in found.dependencies,
                any(route is each for each in predicting),
                route,
            )
