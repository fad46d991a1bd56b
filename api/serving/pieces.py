"""A long JSON list of records, cut into short lists.

A decoder holds the interpreter for as long as its text is long, and nothing else of the process
runs meanwhile. It takes 120 ms for 8 MB of `[],[],`. Between two pieces, others have their turn.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from api import limits

_BLANKS = b" \t\n\r"
_BETWEEN = re.compile(rb"\}[ \t\n\r]*,(?=[ \t\n\r]*\{)")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a list of records, written as a list of its own."""

    text: bytes
    start: int
    """Where in the body the piece begins; at 0 the text has no bracket before it."""
    endless: bool = False
    """The text stops within a record that is too long. No decoder accepts the text."""


def pieces(body: bytes) -> Iterator[Piece]:
    """Yield lists that have the records of `body` in their order, and are JSON if `body` is.

    If every piece is JSON, so is the body, whatever it holds: a cut within a string, or within an
    object in a record, makes pieces that are not.
    """
    end = _end(body)
    start = 0
    while end - start > limits.PIECE_BYTES:
        least = start + limits.PIECE_BYTES
        between = _BETWEEN.search(body, least, least + limits.RECORD_BYTES)
        if between is None:
            break
        yield Piece(_opened(body, start, between.start() + 1) + b"]", start)
        start = between.end()
    most = start + limits.PIECE_BYTES + limits.RECORD_BYTES
    if end > most:
        # A NUL: a text that is cut off must not be a whole one by chance.
        yield Piece(_opened(body, start, most) + b"\0", start, endless=True)
    else:
        yield Piece(_opened(body, start, end), start)


def _opened(body: bytes, start: int, end: int) -> bytes:
    return b"[" + body[start:end] if start else body[:end]


def _end(body: bytes) -> int:
    """Return where the list ends, without the blanks after it if there are very many."""
    end = body.rfind(b"]") + 1
    many = 0 < end < len(body) - limits.PIECE_BYTES
    return end if many and not body[end:].translate(None, _BLANKS) else len(body)
