"""The way of every request: through the envelope, then directly to a handler or to FastAPI."""

import inspect
from collections.abc import Iterable

from fastapi import FastAPI, Request, Response
from fastapi.datastructures import DefaultPlaceholder
from fastapi.params import Depends
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute
from starlette.types import Message, Receive, Scope, Send

from api.http import envelope
from api.http.envelope import Exchange
from api.http.intake import Intake
from api.http.key import ApiKeyRequired, KeyCheck
from api.http.paths import Paths, route_path
from api.http.responses import close_if_unread, without_body
from shared.errors import LifeboatError

_ALWAYS = ("/health/", "/v2/health/", "/metrics")
"""Answered under any load."""


class FastPath:
    """Calls the handlers of some routes directly, and passes every other request to FastAPI.

    FastAPI's middleware, routing and dependencies take longer than a prediction of one row
    (`docs/decisions/` has the figures). FastAPI knows these routes too, as they are or with a
    parameter, for OpenAPI and for requests that do not match exactly.

    Each request passes the envelope. Its key is checked by its head, if its route needs the key;
    then its body is read within the limits of `intake`, and handlers find it in `scope["body"]`.
    Only these routes, and those in `predicting`, may have a body as long as a prediction's.

    Raises:
        ValueError: A route has what only FastAPI can carry out.
    """

    def __init__(
        self,
        api: FastAPI,
        routes: Iterable[BaseRoute],
        intake: Intake,
        key: KeyCheck | None = None,
        predicting: Iterable[BaseRoute] = (),
    ) -> None:
        self._api = api
        self._intake = intake
        self._key = key or KeyCheck()
        self._routes: dict[tuple[str, str], tuple[APIRoute, bool]] = {}
        for route in routes:
            found, dependencies = _checked(route, api)
            keyed = self._key.is_needed(found.path, ApiKeyRequired in dependencies)
            for method in found.methods or ():
                self._routes[method, found.path] = found, keyed
        self._paths = Paths(api, predicting)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._api(scope, receive, send)
            return
        began = scope["state"].get(envelope.BEGAN) if "state" in scope else None
        exchange = envelope.begin(scope["method"], scope["headers"], scope.get("client"), began)
        try:
            found = self._routes.get((scope["method"], scope["path"]))
            if found is None:
                await self._pass_to_fastapi(exchange, scope, receive, send)
            else:
                await self._call(*found, exchange, scope, receive, send)
        finally:
            envelope.end(exchange)

    async def _call(
        self,
        route: APIRoute,
        keyed: bool,
        exchange: Exchange,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        scope["route"] = route
        exchange.route = route.path
        body = None
        try:
            request = Request(scope, receive)
            try:
                if keyed:
                    envelope.note_key(self._key.check_headers(scope["headers"]))
                body = scope["body"] = await self._intake.read(receive)
                self._intake.admit(body)
                response = await route.endpoint(request)
            except Exception as error:
                response = await self._answer(exchange, request, error)
                if body is None:
                    close_if_unread(response, scope)
            response.raw_headers += envelope.lines_for_data(exchange)
            exchange.status = response.status_code
            await response(scope, receive, send)
        finally:
            if body is not None:
                self._intake.release(body)

    async def _pass_to_fastapi(
        self, exchange: Exchange, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["method"] == "HEAD":
            # FastAPI's routes know only GET.
            scope, send = {**scope, "method": "GET"}, without_body(send)
        if scope["path"].startswith("/v2/"):
            # The protocol's own document writes its paths both ways.
            scope["path"] = scope["path"].removesuffix("/")
        body = None
        unread = True

        async def receive_again() -> Message:
            nonlocal unread
            if unread:
                unread = False
                return {"type": "http.request", "body": body, "more_body": False}
            return await receive()

        async def send_enveloped(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                lines = envelope.lines_for_pages(exchange)
                message["headers"] = [*message.get("headers", ()), *lines]
            await send(message)

        try:
            try:
                found = self._paths.find(scope)
                stated = found is not None and found.states_the_key
                envelope.note_key(self._key.check(scope, route_path(scope), stated))
                predicts = found is not None and found.predicts
                body = scope["body"] = await self._intake.read(receive, predicts=predicts)
                if not scope["path"].startswith(_ALWAYS):
                    self._intake.admit(body)
            except (LifeboatError, ClientDisconnect) as error:
                response = await self._answer(exchange, Request(scope), error)
                if body is None:
                    close_if_unread(response, scope)
                await response(scope, receive, send_enveloped)
                return
            await self._api(scope, receive_again, send_enveloped)
        finally:
            exchange.route = getattr(scope.get("route"), "path", None)
            exchange.job_id = str(scope.get("path_params", {}).get("job_id", ""))
            if body is not None:
                self._intake.release(body)

    async def _answer(self, exchange: Exchange, request: Request, error: Exception) -> Response:
        """Answer an error as FastAPI does: by the handler of the error's nearest class."""
        for kind in type(error).__mro__:
            handler = self._api.exception_handlers.get(kind)
            if handler is not None:
                answer = handler(request, error)
                return answer if isinstance(answer, Response) else await answer
        exchange.error = error
        return PlainTextResponse("Internal Server Error", 500)


def _checked(route: BaseRoute, api: FastAPI) -> tuple[APIRoute, list[Depends]]:
    """Return the route and its dependencies, if its handler can be called directly."""
    if not isinstance(route, APIRoute):
        raise ValueError(f"the fast path takes routes of FastAPI alone, and got {route!r}")
    dependencies = [*api.router.dependencies, *route.dependencies]
    included = [each for each in iter_route_contexts(api.routes) if each.original_route is route]
    for found in included:
        dependencies += found.dependencies
    skipped = [
        what
        for what, is_there in {
            "middleware": bool(api.user_middleware),
            "dependencies": any(needed is not ApiKeyRequired for needed in dependencies),
            "a prefix": any(found.path != route.path for found in included),
            "a route class of its own": type(route) is not APIRoute,
            "path parameters": bool(route.param_convertors),
            "parameters of its handler": not _takes_a_request(route),
            "a response class": not _is_default(route.response_class),
            "a status code": route.status_code is not None,
            "a limit of its body": route.max_body_size is not None
            or any(found.max_body_size is not None for found in included),
            "callbacks": bool(route.callbacks),
            "a plain function as its handler": not inspect.iscoroutinefunction(route.endpoint),
        }.items()
        if is_there
    ]
    if skipped:
        raise ValueError(
            f"{route.path}: the fast path would skip {', '.join(skipped)}. Let FastAPI answer this "
            "route, or remove what would be skipped"
        )
    return route, dependencies


def _takes_a_request(route: APIRoute) -> bool:
    parameters = [*inspect.signature(route.endpoint, eval_str=True).parameters.values()]
    return [parameter.annotation for parameter in parameters] == [Request]


def _is_default(value: object) -> bool:
    return isinstance(value, DefaultPlaceholder)
