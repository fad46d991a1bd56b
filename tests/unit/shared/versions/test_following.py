"""How a process without Redis follows `current.json`."""

import threading
from collections.abc import Iterator

import pytest

from shared.versions import current
from shared.versions.following import NoteFollower
from shared.versions.storage.base import Content, Storage, StorageUnreachable
from shared.versions.version_key import Reading
from tests.support.manifests import VERSION

LATER = "29991231-235958-abcdef"


@pytest.fixture(autouse=True)
def prepared(storage: Storage) -> None:
    storage.prepare()


@pytest.fixture
def readings(storage: Storage) -> Iterator[Iterator[Reading]]:
    stop = threading.Event()
    yield NoteFollower(storage, poll_seconds=0.001).follow(stop)
    stop.set()


def test_each_look_says_what_is_chosen(storage: Storage, readings: Iterator[Reading]) -> None:
    assert next(readings) == Reading(None)
    first = current.replace(storage, VERSION, None)
    assert next(readings) == next(readings) == Reading(VERSION)
    current.replace(storage, LATER, first)
    assert next(readings) == Reading(LATER)
    storage.delete(current.KEY)
    assert next(readings) == Reading(None)


def test_a_note_that_has_not_changed_is_not_read_again(
    storage: Storage, readings: Iterator[Reading], monkeypatch: pytest.MonkeyPatch
) -> None:
    current.write(storage, VERSION)
    assert next(readings) == Reading(VERSION)
    asked: list[Content | None] = []
    ask = storage.read_if_changed

    def note(key: str, tag: str | None) -> Content | None:
        asked.append(ask(key, tag))
        return asked[-1]

    monkeypatch.setattr(storage, "read_if_changed", note)
    assert next(readings) == next(readings) == Reading(VERSION)
    assert asked == [None, None]


def test_a_storage_that_does_not_answer_is_a_reading_and_what_was_chosen_is_known_afterwards(
    storage: Storage, readings: Iterator[Reading], monkeypatch: pytest.MonkeyPatch
) -> None:
    current.write(storage, VERSION)
    assert next(readings) == Reading(VERSION)
    error = StorageUnreachable("the bucket does not answer in time")

    def fail(key: str, tag: str | None) -> Content | None:
        raise error

    with monkeypatch.context() as away:
        away.setattr(storage, "read_if_changed", fail)
        assert next(readings) == Reading(None, error)
    assert next(readings) == Reading(VERSION)


def test_the_readings_end_when_they_are_asked_to(storage: Storage) -> None:
    stop = threading.Event()
    follower = NoteFollower(storage, poll_seconds=60).follow(stop)
    next(follower)
    stop.set()
    assert list(follower) == []
    assert not NoteFollower(storage, 1).put_back(VERSION)
