"""Bodies as bytes, in and out, for handlers that parse and format their own."""

from fastapi import Request, Response

from shared.errors import BodyEncoded


def refuse_encoded(request: Request) -> None:
    """For a body that turned out to be unreadable: says so where it was compressed.

    Raises:
        BodyEncoded: it came with a Content-Encoding, and none is decoded here.
    """
    encoding = request.headers.get("content-encoding")
    if encoding:
        raise BodyEncoded(
            "the body came with a Content-Encoding, and none is decoded here; send it plain"
        )


class BytesResponse(Response):
    """An answer that is formatted already, with its headers as they go over the wire.

    Starlette would encode and copy each of them anew for every request.
    """

    def __init__(self, body: bytes, *headers: tuple[bytes, bytes], status_code: int = 200) -> None:
        self.body = body
        self.status_code = status_code
        self.background = None
        self.raw_headers = [*headers, (b"content-length", b"%d" % len(body))]
