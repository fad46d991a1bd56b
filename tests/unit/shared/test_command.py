import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from shared import command

_FULL = Path("/dev/full")


class Streams:
    """The standard streams of a command; `run` takes their buffers over."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.err = io.BytesIO()
        self._monkeypatch = monkeypatch

    def status_of(
        self, main: Callable[[], int | None], *, if_lost: int = 1, stdout: BinaryIO | None = None
    ) -> object:
        self._monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(stdout or io.BytesIO()))
        self._monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(self.err))
        with pytest.raises(SystemExit) as ended:
            command.run(main, if_lost)
        sys.stderr.flush()
        return ended.value.code


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Streams:
    return Streams(monkeypatch)


@pytest.mark.parametrize("status", [None, 0, 3])
def test_the_status_is_the_command_s(streams: Streams, status: int | None) -> None:
    assert streams.status_of(lambda: status) == (status or 0)
    assert streams.err.getvalue() == b""


def test_a_command_that_exits_has_its_status(streams: Streams) -> None:
    assert streams.status_of(lambda: sys.exit(2)) == 2


@pytest.mark.skipif(not _FULL.exists(), reason=f"this system has no {_FULL}")
@pytest.mark.parametrize(("status", "ended_with"), [(0, 130), (3, 3)])
def test_a_command_whose_output_is_lost_goes_on_and_does_not_end_with_0(
    streams: Streams, status: int, ended_with: int
) -> None:
    printed = []

    def main() -> int:
        for number in range(3):
            print("x" * 100_000)
            printed.append(number)
        return status

    with _FULL.open("wb") as full:
        assert streams.status_of(main, if_lost=130, stdout=full) == ended_with
    assert printed == [0, 1, 2]
    why = os.strerror(errno.ENOSPC)
    told = streams.err.getvalue().decode()
    assert told == f"lifeboat: standard output takes no more: {why}\n"
