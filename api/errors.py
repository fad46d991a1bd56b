"""What is answered when a handler raises; `/v2` says it in the words of its protocol."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

import redis
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.body import refuse_encoded
from api.explanation import MAX_ERRORS, shortened
from shared.errors import BodyEncoded, LifeboatError

RETRY_AFTER_SECONDS = 5

log = logging.getLogger(__name__)


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, LifeboatError)
    return _answer(request, error.status_code, str(error))


async def _answer_redis_error(request: Request, error: Exception) -> Response:
    log.warning("a call failed because Redis did not answer: %s", error)
    return _answer(
        request,
        503,
        "Redis does not answer, so jobs and the choice of the model version are out of reach; "
        "predictions go on. Try again in a moment",
    )


async def _answer_invalid_request(request: Request, error: Exception) -> Response:
    """As FastAPI does, without the input: that may be NaN, which no JSON answer can hold."""
    assert isinstance(error, RequestValidationError)
    try:
        refuse_encoded(request)
    except BodyEncoded as encoded:
        return await _answer_error(request, encoded)
    detail = [
        {"loc": shortened(found["loc"]), "msg": found["msg"], "type": found["type"]}
        for found in error.errors()[:MAX_ERRORS]
    ]
    return JSONResponse({"detail": detail}, 422)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    """Starlette's own, such as 404 for a path that is none."""
    assert isinstance(error, HTTPException)
    answer = _answer(request, error.status_code, error.detail)
    answer.headers.update(error.headers or {})
    return answer


async def _answer_nobody(_: Request, error: Exception) -> Response:
    """The client left before its request was whole; 499 is nginx's status for that."""
    return Response(status_code=499)


def _answer(request: Request, status: int, message: str) -> JSONResponse:
    name = "error" if request.url.path.startswith("/v2/") else "detail"
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else None
    return JSONResponse({name: message}, status, headers)


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    LifeboatError: _answer_error,
    redis.RedisError: _answer_redis_error,
    RequestValidationError: _answer_invalid_request,
    HTTPException: _answer_http_error,
    ClientDisconnect: _answer_nobody,
}
