"""How many log lines clients can cause, and how long any line can be."""

import logging
import re
import threading
import time

LINES = 100
SECONDS = 10.0
"""Lines that one place in the code may log for clients in this time."""

LONGEST = 200_000
"""Characters of a line, its traceback included. What a run of training says is shorter."""

_FOR_CLIENTS = ("uvicorn", "api.http", "api.routes", "worker.broker")
"""Loggers whose lines a client causes by its request, with a key or without, or a message in Redis
that the worker throws away."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class FloodFilter(logging.Filter):
    """Leaves out lines that clients cause too often, and says how many were left out."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._places: dict[tuple[str, int], _Place] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(_FOR_CLIENTS):
            return True
        with self._lock:
            place = self._places.setdefault((record.pathname, record.lineno), _Place())
            return place.takes(record, time.monotonic())


class _Place:
    """A place in the code that logs."""

    def __init__(self) -> None:
        self._since = 0.0
        self._lines = LINES
        self._left_out = 0

    def takes(self, record: logging.LogRecord, now: float) -> bool:
        if now - self._since >= SECONDS:
            if self._left_out:
                _add(record, f"before it, {self._left_out} lines like this one were left out")
            self._since, self._lines, self._left_out = now, 0, 0
        self._lines += 1
        if self._lines == LINES:
            _add(record, f"more lines like this one are left out for up to {SECONDS:.0f} s")
        if self._lines > LINES:
            self._left_out += 1
        return self._lines <= LINES


def _add(record: logging.LogRecord, words: str) -> None:
    record.msg, record.args = f"{record.getMessage()} ({words})", None


def bounded(text: str) -> str:
    """Return the text, without its middle if it is too long."""
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"


def plain(text: str) -> str:
    """Return the text with its control characters written out: a terminal would obey them."""
    return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], text)
