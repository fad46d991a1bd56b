"""The output of `make run`: one line for each line of its programs, with the program's name."""

import contextlib
import os
import queue
import threading
import time
from typing import BinaryIO

_COLOURS = (36, 33, 32, 35, 34)
_MOST_LINES = 1_000
_CLOSE_SECONDS = 2.0


class Output:
    """Writes whole lines, from any thread, and keeps no program waiting.

    A terminal that stands still (Ctrl-S, a connection that sleeps) would otherwise fill the pipes,
    and with them hold the API up at its next line. What finds no room is counted and left out.
    """

    def __init__(self, stream: BinaryIO, names: list[str]) -> None:
        self.reader_has_left = False
        self._stream = stream
        self._width = max(map(len, names))
        self._colours = dict(zip(names, _COLOURS, strict=False)) if _shows_colours(stream) else {}
        self._lines: queue.Queue[bytes | None] = queue.Queue(_MOST_LINES)
        self._left_out = 0
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()

    def write(self, name: str, text: bytes) -> None:
        """Have a line written; `text` is in whatever encoding the program has."""
        try:
            if self._left_out:
                self._lines.put_nowait(b"%d lines are left out here\n" % self._left_out)
                self._left_out = 0
            self._lines.put_nowait(self._head(name).encode() + text.rstrip(b"\r\n") + b"\n")
        except queue.Full:
            self._left_out += 1

    def say(self, name: str, sentence: str) -> None:
        self.write(name, sentence.encode("utf-8", "backslashreplace"))

    def copy(self, name: str, source: BinaryIO) -> None:
        """Write what a program writes, until it ends; a very long line in pieces."""
        with contextlib.suppress(OSError, ValueError), source:
            while line := source.readline(65_536):
                self.write(name, line)

    def close(self) -> None:
        """Write what is still to be written, if it can be written soon."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=_CLOSE_SECONDS)
        self._writer.join(_CLOSE_SECONDS)

    def _head(self, name: str) -> str:
        head = f"{time.strftime('%H:%M:%S')} {name:<{self._width}} | "
        colour = self._colours.get(name)
        return f"\x1b[{colour}m{head}\x1b[0m" if colour else head

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._stream.write(line)
                self._stream.flush()
            except BrokenPipeError:
                self.reader_has_left = True
            except (OSError, ValueError):
                # A terminal that is gone or a full disk: predictions do not end because of either.
                continue


def _shows_colours(stream: BinaryIO) -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return stream.isatty() and not plain
