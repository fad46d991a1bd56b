import asyncio
from typing import Any

from api.http.responses import BytesResponse


def test_an_answer_is_sent_as_it_is_with_its_length() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        raise AssertionError("nothing is read")

    response = BytesResponse(b"{}", (b"x-model-version", b"7"), status_code=201)
    asyncio.run(response({"type": "http"}, receive, send))
    start, body = sent
    assert start["status"] == 201
    assert dict(start["headers"]) == {b"x-model-version": b"7", b"content-length": b"2"}
    assert body["body"] == b"{}"
