import asyncio
from typing import Any

import pytest
from fastapi import Request
from starlette.requests import ClientDisconnect

from api.body import BytesResponse, read_body


def read(*messages: dict[str, Any]) -> bytes:
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    return asyncio.run(read_body(Request({"type": "http"}, receive)))


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize(
    "messages",
    [
        [part(b"abc", more=False)],
        [part(b"a", more=True), part(b"", more=True), part(b"bc", more=False)],
        [part(b"abc", more=True), part(b"", more=False)],
        [part(b"abc", more=True), {"type": "http.request"}],
    ],
)
def test_a_body_is_whole_however_it_comes(messages: list[dict[str, Any]]) -> None:
    assert read(*messages) == b"abc"


def test_no_body_is_an_empty_one() -> None:
    assert read({"type": "http.request"}) == b""


@pytest.mark.parametrize("before", [[], [part(b"half", more=True)]])
def test_a_client_that_leaves_is_noticed(before: list[dict[str, Any]]) -> None:
    with pytest.raises(ClientDisconnect):
        read(*before, {"type": "http.disconnect"})


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
