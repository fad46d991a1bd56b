"""What stands in for Google Cloud Storage's XML API: a bucket in memory, with its preconditions.

No emulator that can be had here takes writes by that API. It shows what our client asks for, and
nothing about Google's own answers.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_CREATED = "0"
"""The generation of a key that must not be there yet."""
_MODIFIED = "Thu, 26 Nov 2026 12:00:00 GMT"


class Google(ThreadingHTTPServer):
    daemon_threads = True
    # Racers connect at once.
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.lock = threading.Lock()
        self.contents: dict[str, tuple[bytes, int]] = {}
        """Path -> content and generation."""
        self.generation = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Google

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if "list-type" in parts.query:
            self._list(unquote(parts.path).strip("/"), parse_qs(parts.query).get("prefix", [""])[0])
            return
        with self.server.lock:
            found = self.server.contents.get(unquote(parts.path))
        if found is None:
            self._answer(404)
        elif self.headers.get("If-None-Match") == _tag(found[1]):
            self._answer(304, generation=found[1])
        else:
            self._answer(200, found[0], found[1])

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, wanted = unquote(urlsplit(self.path).path), "x-goog-if-generation-match"
        with self.server.lock:
            found = self.server.contents.get(path)
            before = str(found[1]) if found else _CREATED
            if self.headers.get(wanted, before) != before:
                self._answer(412)
                return
            self.server.generation += 1
            self.server.contents[path] = content, self.server.generation
            self._answer(200, generation=self.server.generation)

    def do_DELETE(self) -> None:
        with self.server.lock:
            found = self.server.contents.pop(unquote(urlsplit(self.path).path), None)
        self._answer(404 if found is None else 204)

    def _list(self, bucket: str, prefix: str) -> None:
        with self.server.lock:
            found = [
                (path.removeprefix(f"/{bucket}/"), len(content), generation)
                for path, (content, generation) in sorted(self.server.contents.items())
                if path.startswith(f"/{bucket}/{prefix}")
            ]
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size><ETag>{_tag(generation)}</ETag>"
            "<LastModified>2026-11-26T12:00:00.000Z</LastModified></Contents>"
            for key, size, generation in found
        )
        self._answer(200, f"<ListBucketResult>{entries}</ListBucketResult>".encode())

    def _answer(self, status: int, content: bytes = b"", generation: int = 0) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", _tag(generation))
        self.send_header("Last-Modified", _MODIFIED)
        self.send_header("x-goog-generation", str(generation))
        self.end_headers()
        self.wfile.write(content)


def _tag(generation: int) -> str:
    return f'"{generation}"'


@contextmanager
def google() -> Iterator[Google]:
    """Run the stand-in."""
    with Google() as server:
        threading.Thread(target=server.serve_forever, name="google", daemon=True).start()
        yield server
        server.shutdown()
