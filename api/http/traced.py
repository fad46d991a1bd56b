"""A span for every request, below the one of a client that has one."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime import tracing


class Traced:
    """Around the whole application, and only where traces are wanted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method: str = scope["method"]
        given = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with tracing.span(
            method,
            kind="server",
            traceparent=given.decode("latin-1"),
            attributes={"http.request.method": method},
        ) as span:
            try:
                await self._app(scope, receive, note_status)
            finally:
                if span is not None:
                    # Known when it was looked up; the names of OpenTelemetry's conventions.
                    route = getattr(scope.get("route"), "path", None)
                    if route is not None:
                        span.update_name(f"{method} {route}")
                        span.set_attribute("http.route", route)
                    span.set_attribute("http.response.status_code", status)
                    span.set_attribute("lifeboat.request_id", scope["request_id"].decode())
