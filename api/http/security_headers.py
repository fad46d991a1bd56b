"""What every answer tells a browser."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOSNIFF = (b"x-content-type-options", b"nosniff")
"""Text that a client sent comes back in no other type than the answer says."""

_FOR_PAGES = [
    NOSNIFF,
    # No other site may show a page of ours under its own, and have it clicked on.
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]


class SecurityHeaders:
    """Adds what pages need to every answer. There are no CORS headers: a page of another site can
    make a browser send us a plain POST, and read nothing of the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_FOR_PAGES]
            await send(message)

        await self._app(scope, receive, send_with_headers)
