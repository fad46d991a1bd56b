"""Servers that predict nothing: what HTTP alone costs, and FastAPI on top of it.

`python -m benchmarks.baselines fastapi PORT ANSWERS`, or `bare`: each file `ANSWERS/<name>.json` is
the answer of `POST /<name>`, once the whole body has come. uvicorn runs as in `api/__main__.py`,
in one process.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def fastapi(answers: Mapping[str, bytes]) -> FastAPI:
    app = FastAPI()
    for name, answer in answers.items():
        _add_route(app, name, answer)
    return app


def _add_route(app: FastAPI, name: str, answer: bytes) -> None:
    @app.post(f"/{name}")
    async def post(request: Request) -> Response:
        await request.body()
        return Response(answer, media_type="application/json")


def bare(answers: Mapping[str, bytes]) -> ASGIApp:
    messages = {f"/{name}": _messages(answer) for name, answer in answers.items()}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn takes the KeyError of any other scope for 'no lifespan'.
        start, body = messages[scope["path"]]
        while (await receive()).get("more_body"):
            pass
        await send(start)
        await send(body)

    return app


def _messages(answer: bytes) -> tuple[Message, Message]:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer)).encode()),
    ]
    return (
        {"type": "http.response.start", "status": 200, "headers": headers},
        {"type": "http.response.body", "body": answer},
    )


def main() -> None:
    kind, port, folder = sys.argv[1:]
    answers = {path.stem: path.read_bytes() for path in Path(folder).glob("*.json")}
    app: ASGIApp = fastapi(answers) if kind == "fastapi" else bare(answers)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(port),
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
