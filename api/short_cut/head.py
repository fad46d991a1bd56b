"""What the head of a request says, for requests that have nothing unusual about them."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import httptools

from api import limits
from api.http import envelope
from api.http.envelope import HeaderLines
from api.http.key import KeyCheck
from api.v2.messages import HEADER_LENGTH
from shared.errors import LifeboatError

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"[0-9]{1,8}")
_UNUSUAL = (b"transfer-encoding", b"expect", b"upgrade", b"trailer")


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a usual request."""

    path: str
    length: int
    """Of the whole request in bytes, its body included."""
    body_start: int
    request_id: bytes | None
    """The id that the client gave its request."""
    header_length: str | None
    """The value of `HEADER_LENGTH`."""


class Heads:
    """Reads heads with the parser that reads all others, and remembers what they said.

    A client sends the same head again and again: the same bytes mean the same.
    """

    def __init__(
        self,
        paths: Iterable[str],
        key: KeyCheck,
        leaves_alone: Callable[[str, HeaderLines], bool],
    ) -> None:
        """`leaves_alone` says of a path and headers whether nothing else stands in their way."""
        self._leaves_alone = leaves_alone
        self._lines = {b"POST %s HTTP/1.1" % path.encode(): path for path in paths}
        self._key = key
        self._known: dict[bytes, Head | None] = {}

    def find(self, data: bytes) -> Head | None:
        """Return the head that begins `data`; None if it is not whole, or not usual."""
        body_start = data.find(_END, 0, limits.KNOWN_HEAD_BYTES) + len(_END)
        if body_start < len(_END):
            return None
        head = data[:body_start]
        try:
            return self._known[head]
        except KeyError:
            found = self._read(head)
        if len(self._known) >= limits.KNOWN_HEADS:
            self._known.clear()
        self._known[head] = found
        return found

    def _read(self, head: bytes) -> Head | None:
        line, _, _ = head.partition(b"\r\n")
        if line not in self._lines:
            return None
        path = self._lines[line]
        reading = _Reading()
        parser = httptools.HttpRequestParser(reading)
        try:
            parser.feed_data(head)
            if self._key.is_needed(path, stated=False):
                self._key.check_headers(reading.headers)
        # The other way says what is wrong.
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, LifeboatError):
            return None
        lengths = reading.all(b"content-length")
        if (
            not reading.is_whole
            or not self._leaves_alone(path, reading.headers)
            or not parser.should_keep_alive()
            or any(reading.all(name) for name in _UNUSUAL)
            or any(value.lower() != b"keep-alive" for value in reading.all(b"connection"))
            or len(lengths) != 1
            or not _LENGTH.fullmatch(lengths[0])
        ):
            return None
        header_lengths = reading.all(HEADER_LENGTH.encode())
        return Head(
            path,
            len(head) + int(lengths[0]),
            len(head),
            envelope.given_id(reading.headers),
            header_lengths[0].decode("latin-1") if header_lengths else None,
        )


class _Reading:
    """What the parser tells of a head."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.is_whole = True

    def all(self, wanted: bytes) -> list[bytes]:
        return [value for name, value in self.headers if name == wanted]
