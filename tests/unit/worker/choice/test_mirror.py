"""The version key and `current.json`, kept alike."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from shared.versions import current
from shared.versions.current import Note
from shared.versions.manifest import Manifest
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from shared.versions.version_key import Choice, Noted, Reading, VersionKey
from tests.support.versions import publish
from worker.choice.mirror import Mirror, Remedy, remedy

HERE, THERE = "20260102-030405-aaaaaa", "20260102-030406-bbbbbb"


def _note(version: str | None, generation: int) -> Note:
    return Note(version, generation, b"")


def _alike(version: str, generation: int) -> Noted:
    return Noted(version, generation, "models")


@pytest.mark.parametrize(
    ("key", "note", "alike", "expected"),
    [
        pytest.param(HERE, None, None, Remedy.NOTE, id="nothing noted yet"),
        pytest.param(HERE, _note(None, 0), _alike(HERE, 4), Remedy.NOTE, id="the note is damaged"),
        pytest.param(HERE, _note(HERE, 4), _alike(HERE, 4), Remedy.NOTHING, id="alike"),
        pytest.param(HERE, _note(HERE, 4), None, Remedy.REMEMBER, id="alike, unknown"),
        pytest.param(HERE, _note(HERE, 5), _alike(HERE, 4), Remedy.REMEMBER, id="noted anew"),
        pytest.param(HERE, _note(HERE, 0), None, Remedy.REMEMBER, id="of an older release"),
        pytest.param(HERE, _note(THERE, 4), _alike(THERE, 4), Remedy.NOTE, id="key changed"),
        pytest.param(
            HERE, _note(THERE, 5), _alike(HERE, 4), Remedy.CARRY, id="published elsewhere"
        ),
        pytest.param(HERE, _note(THERE, 9), _alike(HERE, 4), Remedy.CARRY, id="several times"),
        pytest.param(HERE, _note(THERE, 5), _alike(THERE, 4), Remedy.NOTE, id="both were changed"),
        pytest.param(HERE, _note(THERE, 4), _alike(HERE, 4), Remedy.NOTE, id="no newer number"),
        pytest.param(HERE, _note(THERE, 3), _alike(HERE, 4), Remedy.NOTE, id="an older note"),
        pytest.param(HERE, _note(THERE, 5), None, Remedy.NOTE, id="nobody knows what was alike"),
    ],
)
def test_what_makes_the_two_alike(
    key: str, note: Note | None, alike: Noted | None, expected: Remedy
) -> None:
    assert remedy(key, note, alike) is expected


def test_a_note_of_an_earlier_release_has_the_lowest_number() -> None:
    note = current.parsed(b'{"model_version": "%s"}' % HERE.encode())
    assert (note.version, note.generation) == (HERE, 0)


class _Key:
    """A version key that remembers what it is told."""

    def __init__(self, version: str, noted: Noted | None) -> None:
        self.version = version
        self.said = noted

    def get(self) -> str:
        return self.version

    def noted(self) -> Noted | None:
        return self.said

    def note(self, noted: Noted) -> None:
        self.said = noted

    def carry(self, version: str, before: str, check: object) -> Choice:
        assert self.version == before
        self.version = version
        return Choice.CHOSEN

    def follow(self, _: object) -> Iterator[Reading]:
        yield Reading(self.version)


def _looked(key: _Key, models: ModelStore, place: str = "models") -> None:
    Mirror(cast(VersionKey, key), models, place).follow(threading.Event())


def test_numbers_of_another_store_say_nothing(models_dir: Path) -> None:
    storage, models = LocalStorage(models_dir), ModelStore(LocalStorage(models_dir))
    old, new = publish(storage), publish(storage)
    # The folder from before a move, with a number far above those of the new place.
    current.replace(storage, old, None, generation=57)
    key = _Key(new, Noted(new, 3, "s3://bucket/models"))
    _looked(key, models)
    assert key.version == new and models.current() == new

    # At the same place that number is somebody's publication.
    current.replace(storage, old, models.note(), generation=99)
    _looked(key, models)
    assert key.version == models.current() == old
    assert key.said == Noted(old, 99, "models")


def test_what_cannot_be_loaded_is_not_carried_and_not_tried_at_each_look(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, models = LocalStorage(models_dir), ModelStore(LocalStorage(models_dir))
    served, gone = publish(storage), "20991231-235959-abcdef"
    note = current.replace(storage, served, None)
    current.replace(storage, gone, note)
    tried: list[str] = []
    check = models.check

    def counted(version: str) -> Manifest:
        tried.append(version)
        return check(version)

    monkeypatch.setattr(models, "check", counted)
    key = _Key(served, Noted(served, 1, "models"))
    mirror = Mirror(cast(VersionKey, key), models, "models")
    for _ in range(3):
        mirror.follow(threading.Event())
    assert tried == [gone] and key.version == served
