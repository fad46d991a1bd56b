"""A stand-in of the API that Lambda's runtime asks for events and gives its answers to."""

import queue
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

_PATH = "/2018-06-01/runtime/invocation/"
_SECONDS = 60.0


class RuntimeApi:
    """Serves one function on 127.0.0.1: one event at a time, as Lambda does."""

    def __init__(self) -> None:
        self._events: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._polled = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.path == f"{_PATH}next"
                api._polled.set()
                request, event = api._events.get()
                headers = {
                    "Lambda-Runtime-Aws-Request-Id": request,
                    "Lambda-Runtime-Deadline-Ms": str(int(1000 * (time.time() + _SECONDS))),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:test",
                }
                self._answer(200, event, headers)

            def do_POST(self) -> None:
                said = self.rfile.read(int(self.headers["Content-Length"]))
                api._answers.put((self.path, said))
                self._answer(202, b"{}", {})

            def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                # The runtime's client crashes without it.
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="runtime", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.socket.close()

    def is_polled(self) -> bool:
        """Return whether the function has started, and asked for its first event."""
        return self._polled.is_set()

    def invoke(self, event: bytes) -> bytes:
        """Return what the function answers to an event."""
        request = str(uuid.uuid4())
        self._events.put((request, event))
        path, said = self._answers.get(timeout=_SECONDS)
        assert path == f"{_PATH}{request}/response", f"{path}: {said.decode()}"
        return said
