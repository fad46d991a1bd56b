"""How a command runs: `python -m cli.retrain`, `python -m worker.sign` and their kind.

Its standard output may be a full disk, or a pipe that nobody reads any more. That is not a reason
for a traceback, nor to leave half of the versions unsigned. The command goes on without its output,
and its exit status is not 0.
"""

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import NoReturn, TextIO

from shared import refusal


class Output(io.TextIOWrapper):
    """A stream of any encoding that raises nothing when it takes no more, and remembers why."""

    lost: OSError | None = None

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.lost = self.lost or error
        # Python writes what is left in the buffers once more when it ends.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.fileno())
        os.close(null)


def run(main: Callable[[], int | None], if_lost: int = 1) -> NoReturn:
    """Run a command and end the process with its status.

    If output is lost, the status is `if_lost` in the place of 0. The process says why, unless
    nobody reads any more.
    """
    sys.stdout = _kept(sys.stdout)
    # print() takes standard output in the place of a stderr that is closed.
    sys.stderr = _kept(sys.stderr) or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    try:
        status: object = main()
    except SystemExit as end:
        status = end.code
    sys.stderr.flush()
    if (error := lost(sys.stdout)) is not None and error.errno != errno.EPIPE:
        refusal.say(f"standard output takes no more: {error.strerror}")
    is_lost = error is not None or lost(sys.stderr) is not None
    sys.exit(status or (if_lost if is_lost else 0))  # type: ignore[arg-type]


def lost(stream: object) -> OSError | None:
    """Write what the stream holds, and return why it takes no more, if it does not."""
    if not isinstance(stream, Output):
        return None
    stream.flush()
    return stream.lost


def _kept(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        # None if it was closed before the start.
        return stream
    encoding, by_line, at_once = stream.encoding, stream.line_buffering, stream.write_through
    # Messages may hold any name of a file.
    return Output(stream.detach(), encoding, "backslashreplace", None, by_line, at_once)
