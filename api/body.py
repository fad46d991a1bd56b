"""Bodies as bytes, in and out, for handlers that parse and format their own."""

from fastapi import Request, Response
from starlette.requests import ClientDisconnect


async def read_body(request: Request) -> bytes:
    """The whole body; most come in one message, for which Starlette's way takes three times longer.

    Raises:
        ClientDisconnect: the client left before its request was whole.
    """
    receive = request.receive
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        if not message.get("more_body", False):
            return b"".join((*chunks, chunk)) if chunks else chunk
        chunks.append(chunk)


class BytesResponse(Response):
    """An answer that is formatted already, with its headers as they go over the wire.

    Starlette would encode and copy each of them anew for every request.
    """

    def __init__(self, body: bytes, *headers: tuple[bytes, bytes], status_code: int = 200) -> None:
        self.body = body
        self.status_code = status_code
        self.background = None
        self.raw_headers = [*headers, (b"content-length", b"%d" % len(body))]
