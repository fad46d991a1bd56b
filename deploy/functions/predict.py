"""The application of a cloud function: `POST /predict`, answered as the API answers it."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import cache
from typing import Any, NamedTuple

from api.serving.bodies import records
from api.serving.predictor import predict
from api.telemetry import metrics
from deploy.functions.model import Model, model
from shared.errors import BodyEncoded, BodyTooLarge, LifeboatError
from shared.schema.decoder import REFUSED
from shared.settings import Settings

_HEADERS = {415: {"accept-encoding": "identity"}, 503: {"retry-after": "5"}}
"""What the API answers beside a status."""

Message = MutableMapping[str, Any]

_turn = threading.Lock()


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


@cache
def _built() -> tuple[Model, Settings]:
    settings = Settings()
    if settings.api_key_for == "everything":
        raise ValueError(
            "LIFEBOAT_API_KEY_FOR is 'everything', and a cloud function checks no keys of ours; "
            "let the cloud check who calls, and unset it"
        )
    return model(settings), settings


def _function() -> tuple[Model, Settings]:
    # At the first call: the client of a bucket does not outlive a fork, and Google's server forks.
    # One call builds it, of several that come first.
    with _turn:
        return _built()


def answer(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Return the answer to a request; the names of its headers are in lower case."""
    if path != "/predict":
        return _json(404, "Not Found")
    if method != "POST":
        return _json(405, "Method Not Allowed", {"allow": "POST"})
    function, settings = _function()
    try:
        if len(body) > settings.max_body_bytes:
            raise BodyTooLarge(f"the body has more than {settings.max_body_bytes} bytes; send less")
        served = function.served()
        version = {"x-model-version": served.version}
        try:
            found = records(body, settings.max_rows, served.decoder)
        except REFUSED:
            errors = served.refusals.explain(body, settings.max_rows)
            if headers.get("content-encoding"):
                raise BodyEncoded(
                    "the body came with a Content-Encoding, and none is decoded here; send it "
                    "without one"
                ) from None
            return _json(422, errors, version)
        predicted = predict(served.to_columns(found), served)
        # Nobody asks a function for its metrics, and what is noted for them must not pile up.
        metrics.PREDICTED.flush()
        return Answer(200, {"content-type": "application/json", **version}, predicted.json())
    except LifeboatError as error:
        return _json(error.status_code, str(error), _HEADERS.get(error.status_code))


def _json(status: int, detail: object, headers: Mapping[str, str] | None = None) -> Answer:
    body = json.dumps({"detail": detail}, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, {"content-type": "application/json", **(headers or {})}, body)


async def application(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Answer as an ASGI application."""
    if scope["type"] == "lifespan":
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
    # In a thread, because the first call waits for a model, and the event loop may be the host's.
    found = await asyncio.to_thread(answer, scope["method"], scope["path"], headers, body)
    lines = [(name.encode(), value.encode()) for name, value in found.headers.items()]
    await send({"type": "http.response.start", "status": found.status, "headers": lines})
    await send({"type": "http.response.body", "body": found.body})
