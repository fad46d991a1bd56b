import errno
import io
import re
import threading
from typing import Any

import pytest

from local.output import Output


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


class Broken(io.BytesIO):
    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def write(self, _: object) -> int:
        raise self._error


def test_each_line_begins_with_the_time_and_the_name() -> None:
    stream = io.BytesIO()
    output = Output(stream, ["lifeboat", "api"])
    output.copy("api", io.BytesIO("één\r\ntwee\xa0".encode("latin-1")))
    output.say("lifeboat", "half a pair: \ud800")
    output.close()
    lines = stream.getvalue().split(b"\n")
    assert [re.sub(rb"^\d\d:\d\d:\d\d ", b"", line) for line in lines] == [
        b"api      | \xe9\xe9n",
        b"api      | twee\xa0",
        b"lifeboat | half a pair: \\ud800",
        b"",
    ]


def test_a_line_without_an_end_is_written_in_pieces() -> None:
    stream = io.BytesIO()
    output = Output(stream, ["api"])
    output.copy("api", io.BytesIO(b"x" * 200_000))
    output.close()
    assert [len(line) for line in stream.getvalue().splitlines()] == [
        len("00:00:00 api | ") + size for size in (65_536, 65_536, 65_536, 3_392)
    ]


@pytest.mark.parametrize(
    ("term", "no_color", "coloured"),
    [("xterm", "", True), ("dumb", "", False), ("xterm", "1", False)],
)
def test_names_are_coloured_on_a_terminal_that_has_colours(
    monkeypatch: pytest.MonkeyPatch, term: str, no_color: str, coloured: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("NO_COLOR", no_color)
    for stream in (Terminal(), io.BytesIO()):
        output = Output(stream, ["api"])
        output.say("api", "hello")
        output.close()
        is_terminal = isinstance(stream, Terminal)
        assert (b"\x1b[" in stream.getvalue()) is (coloured and is_terminal)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_terminal_that_is_gone_or_a_full_disk_ends_nothing(number: int) -> None:
    output = Output(Broken(OSError(number, "gone")), ["api"])
    output.say("api", "hello")
    output.close()
    assert not output.reader_has_left


def test_a_reader_that_has_left_is_noted() -> None:
    output = Output(Broken(BrokenPipeError()), ["api"])
    output.copy("api", io.BytesIO(b"one\ntwo\n"))
    output.close()
    assert output.reader_has_left


def test_a_terminal_that_stands_still_keeps_nobody_waiting() -> None:
    moves = threading.Event()
    stream = Still(moves)
    output = Output(stream, ["api"])
    output.copy("api", io.BytesIO(b"line\n" * 2_000))
    moves.set()
    while not output._lines.empty():
        pass
    output.say("api", "last")
    output.close()
    lines = stream.getvalue().splitlines()
    assert 1_000 <= len(lines) <= 1_003
    assert lines[-2].endswith(b" lines are left out here") and lines[-1].endswith(b"last")


class Still(io.BytesIO):
    def __init__(self, moves: threading.Event) -> None:
        super().__init__()
        self._moves = moves

    def write(self, line: Any) -> int:
        assert self._moves.wait(10)
        return super().write(line)
