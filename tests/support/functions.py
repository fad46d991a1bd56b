"""Cloud functions as their providers run them: packed into a folder, behind the real runtimes."""

import base64
import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from tests.support.lambda_runtime import RuntimeApi
from tests.support.processes import ROOT, Process, free_port, wait_for

PROVIDERS = ("aws", "google", "azure")
_SECONDS = 60.0
_RECHECK = "RECHECK_SECONDS = 30.0\n"


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    """Their names in lower case."""
    body: bytes


class Function(Protocol):
    """A function that runs."""

    def call(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return its answer to a request."""


class HttpFunction:
    """A function behind a server that speaks HTTP, on one connection as its provider's proxy."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)

    def call(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        self._connection.request(method, path, body, {**(headers or {})})
        answer = self._connection.getresponse()
        lines = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, lines, answer.read())

    def answers(self) -> bool:
        try:
            return self.call("GET", "/").status == 404
        except (OSError, http.client.HTTPException):
            self.close()
            return False

    def close(self) -> None:
        self._connection.close()


class LambdaFunction:
    """A function that awslambdaric runs; requests come to it as events of a function URL."""

    def __init__(self, runtime: RuntimeApi) -> None:
        self._runtime = runtime

    def call(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {"host": "function.example.org", **(headers or {})},
            "requestContext": {
                "http": {
                    "method": method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": "test",
                },
            },
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }
        found = json.loads(self._runtime.invoke(json.dumps(event).encode()))
        said = found["body"]
        return Answer(
            found["statusCode"],
            {name.lower(): value for name, value in found["headers"].items()},
            base64.b64decode(said) if found.get("isBase64Encoded") else said.encode(),
        )


def pack(provider: str, folder: Path, recheck_seconds: float | None = None) -> Path:
    """Pack a function into a new folder, with another time between its looks if one is given."""
    subprocess.run(
        [str(ROOT / "deploy/functions/pack"), provider, str(folder)], check=True, timeout=30
    )
    if recheck_seconds is not None:
        module = folder / "deploy" / "functions" / "model.py"
        text = module.read_text()
        assert text.count(_RECHECK) == 1
        module.write_text(text.replace(_RECHECK, f"RECHECK_SECONDS = {recheck_seconds}\n"))
    return folder


@contextlib.contextmanager
def running(provider: str, packed: Path, environment: dict[str, str]) -> Iterator[Function]:
    """Run a packed function with its provider's runtime; it has not been called yet."""
    log = packed.parent / f"{packed.name}.log"
    variables = {"PYTHONPATH": str(packed), **environment}
    with contextlib.ExitStack() as stack:

        def start(*arguments: str, **more: str) -> Process:
            process = Process([sys.executable, *arguments], log, variables | more, packed)
            stack.callback(process.end)
            return process

        if provider == "aws":
            runtime = stack.enter_context(RuntimeApi())
            process = start(
                *("-m", "awslambdaric", "handler.handler"), AWS_LAMBDA_RUNTIME_API=runtime.address
            )
            wait_for(runtime.is_polled, why=process.output)
            yield LambdaFunction(runtime)
            return
        port = free_port()
        if provider == "google":
            process = start(
                *(
                    "-m",
                    "functions_framework",
                    "--target",
                    "predict",
                    "--source",
                    str(packed / "main.py"),
                ),
                *("--host", "127.0.0.1", "--port", str(port)),
            )
        else:
            # -P: of the folder of the helpers it may import nothing.
            process = start("-P", str(ROOT / "tests" / "support" / "azure_host.py"), str(port))
        function = HttpFunction(port)
        stack.callback(function.close)
        wait_for(function.answers, why=process.output)
        yield function
