"""The output of `make run`: one line for each line of its programs, with the program's name."""

import contextlib
import os
import threading
import time
from typing import BinaryIO

_COLOURS = (36, 33, 32, 35, 34)


class Output:
    """Writes whole lines, from any thread, and goes on when nobody can be written to."""

    def __init__(self, stream: BinaryIO, names: list[str]) -> None:
        self.reader_has_left = False
        self._stream = stream
        self._lock = threading.Lock()
        self._width = max(map(len, names))
        self._colours = dict(zip(names, _COLOURS, strict=False)) if _shows_colours(stream) else {}

    def write(self, name: str, text: bytes) -> None:
        """Write a line; `text` is in whatever encoding the program has."""
        head = f"{time.strftime('%H:%M:%S')} {name:<{self._width}} | "
        if colour := self._colours.get(name):
            head = f"\x1b[{colour}m{head}\x1b[0m"
        try:
            with self._lock:
                self._stream.write(head.encode() + text.rstrip(b"\r\n") + b"\n")
                self._stream.flush()
        except BrokenPipeError:
            self.reader_has_left = True
        except (OSError, ValueError):
            # A closed terminal or a full disk: predictions do not end because of either.
            return

    def say(self, name: str, sentence: str) -> None:
        self.write(name, sentence.encode("utf-8", "backslashreplace"))

    def copy(self, name: str, source: BinaryIO) -> None:
        """Write what a program writes, until it ends; a very long line in pieces."""
        with contextlib.suppress(OSError, ValueError), source:
            while line := source.readline(65_536):
                self.write(name, line)


def _shows_colours(stream: BinaryIO) -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return stream.isatty() and not plain
