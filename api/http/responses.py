"""Bodies as bytes, for handlers that parse and format their own; and answers without one."""

from fastapi import Request, Response
from starlette.types import Message, Scope, Send

from shared.errors import BodyEncoded


def refuse_encoded(request: Request) -> None:
    """Refuse a body that could not be read, if it came compressed.

    Raises:
        BodyEncoded: The body came with a Content-Encoding, and none is decoded here.
    """
    encoding = request.headers.get("content-encoding")
    if encoding:
        raise BodyEncoded(
            "the body came with a Content-Encoding, and none is decoded here; send it without one"
        )


class BytesResponse(Response):
    """An answer that is formatted already, with its headers as they go over the wire.

    Starlette would encode and copy each header anew for every request.
    """

    def __init__(self, body: bytes, *headers: tuple[bytes, bytes], status_code: int = 200) -> None:
        self.body = body
        self.status_code = status_code
        self.background = None
        self.raw_headers = [*headers, (b"content-length", b"%d" % len(body))]


def without_body(send: Send) -> Send:
    """Return a `send` that ends an answer after its headers, as HEAD asks for."""
    has_ended = False

    async def send_head(message: Message) -> None:
        nonlocal has_ended
        if has_ended:
            return
        await send(message)
        if message["type"] == "http.response.start":
            # At once: an event stream would go on until its job ends.
            has_ended = True
            await send({"type": "http.response.body"})

    return send_head


def close_if_unread(response: Response, scope: Scope) -> None:
    """Close the connection after an answer, if a part of the body may follow.

    What is left of a body must not be read as the next request.
    """
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    chunked = any(name == b"transfer-encoding" for name, _ in scope["headers"])
    if chunked or lengths not in ([], [b"0"]):
        response.headers["Connection"] = "close"
