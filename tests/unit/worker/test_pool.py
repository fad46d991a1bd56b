"""What becomes of a child that hangs; with real processes: tests/faults/test_hung_child.py."""

from collections.abc import Iterator

import pytest

from worker import pool
from worker.pool import ChildWatch

CHILD, OTHER = 4711, 4712


class Watched:
    """A watch over one child, with a clock that only the test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.watch = ChildWatch(lambda: self.seconds)

    def look(self, *, after: float, beats: bool = False, child: int = CHILD) -> None:
        self.seconds += after
        if beats:
            self.watch.hear(str(CHILD).encode())
        self.watch.look([child])

    def look_for(self, seconds: int, *, beats: bool = False) -> None:
        for _ in range(seconds):
            self.look(after=1, beats=beats)


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    killed: list[int] = []
    monkeypatch.setattr(pool, "kill", killed.extend)
    return killed


@pytest.fixture
def watched() -> Iterator[Watched]:
    watched = Watched()
    watched.look(after=1, beats=True)
    yield watched
    watched.watch.close()


def test_a_child_that_moves_is_left_alone(watched: Watched, killed: list[int]) -> None:
    watched.look_for(60, beats=True)
    assert killed == []


def test_a_child_that_stands_still_for_ten_seconds_is_killed_once(
    watched: Watched, killed: list[int]
) -> None:
    watched.look_for(9)
    assert killed == []
    watched.look_for(9)
    assert killed == [CHILD]


def test_a_child_that_has_not_moved_yet_has_a_minute_more(
    watched: Watched, killed: list[int]
) -> None:
    for _ in range(70):
        watched.look(after=1, child=OTHER)
    assert killed == []
    watched.look(after=1, child=OTHER)
    assert killed == [OTHER]


def test_who_was_paused_with_its_child_takes_it_for_alive(
    watched: Watched, killed: list[int]
) -> None:
    watched.look_for(9)
    watched.look(after=3600)
    watched.look_for(9)
    assert killed == []
    watched.look_for(1)
    assert killed == [CHILD]


@pytest.mark.parametrize("datagram", [b"", b"nonsense", b"\xff", str(OTHER).encode()])
def test_what_others_send_changes_nothing(
    watched: Watched, killed: list[int], datagram: bytes
) -> None:
    watched.watch.hear(datagram)
    watched.look_for(10)
    assert killed == [CHILD]
