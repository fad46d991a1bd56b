"""The note of the choice: `current.json`."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.versions import current
from shared.versions.storage.base import KeyChanged, Storage, StorageUnreachable
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.manifests import VERSION
from tests.support.memory_storage import MemoryStorage
from tests.support.stored import contents, put

LATER = "29991231-235958-abcdef"


@pytest.fixture(autouse=True)
def prepared(storage: Storage) -> None:
    storage.prepare()


def test_the_choice_is_kept_and_can_be_changed(storage: Storage, model_store: ModelStore) -> None:
    for version in (VERSION, VERSION, LATER):
        model_store.set_current(version)
        assert model_store.current() == version
    assert contents(storage) == ["current.json"]
    noted = json.loads(storage.read("current.json"))
    # The second of the three was noted already.
    assert (noted["model_version"], noted["generation"]) == (LATER, 2)


def test_no_two_notes_are_alike_because_the_tag_of_a_bucket_may_be_their_hash(
    storage: Storage,
) -> None:
    storage.create("current.json", current.content(VERSION))
    seen = current.look(storage)
    assert seen is not None and (seen.version, seen.generation) == (VERSION, 1)
    there = current.replace(storage, LATER, seen)
    back = current.replace(storage, VERSION, there)
    assert (back.version, back.generation) == (VERSION, 3)
    with pytest.raises(KeyChanged):
        current.replace(storage, LATER, seen)


@pytest.mark.parametrize("generation", [None, "2", -1, True, 1.5, [], "x"])
def test_a_number_that_is_none_counts_as_the_lowest(generation: object) -> None:
    note = current.parsed(json.dumps({"model_version": VERSION, "generation": generation}).encode())
    assert (note.version, note.generation) == (VERSION, 0)


def test_of_those_that_replace_the_note_they_have_seen_one_succeeds(storage: Storage) -> None:
    first = current.replace(storage, VERSION, None)
    current.replace(storage, LATER, first)
    for seen in (None, first):
        with pytest.raises(KeyChanged):
            current.replace(storage, VERSION, seen)
    assert current.read(storage) == LATER


def test_the_choice_survives_a_volume_that_is_full(
    monkeypatch: pytest.MonkeyPatch, models_dir: Path
) -> None:
    storage = LocalStorage(models_dir)
    storage.prepare()
    store = ModelStore(storage)
    store.set_current(VERSION)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError):
        store.set_current(LATER)
    assert store.current() == VERSION
    assert contents(storage) == ["current.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'"x"', b'{"model_version": 3}', b"\xff\xfe", b"null"]
)
def test_a_damaged_note_of_the_choice_is_no_choice(
    storage: Storage, model_store: ModelStore, content: bytes
) -> None:
    put(storage, "current.json", content)
    assert model_store.current() is None
    model_store.set_current(VERSION)
    assert model_store.current() == VERSION


def _before_each_replacement(
    storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch, step: Callable[[], None]
) -> None:
    replace = storage.replace

    def late(key: str, content: bytes, expected: bytes | None) -> None:
        step()
        replace(key, content, expected)

    monkeypatch.setattr(storage, "replace", late)


def test_of_two_workers_that_note_at_once_the_slower_one_looks_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = MemoryStorage()
    others = [b'{"model_version": "another"}']

    def note_another() -> None:
        if others:
            put(storage, "current.json", others.pop())

    _before_each_replacement(storage, monkeypatch, note_another)
    current.write(storage, VERSION)
    assert current.read(storage) == VERSION
    assert others == []


def test_a_note_that_changes_again_and_again_is_an_error_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = MemoryStorage()
    tries = 0

    def change() -> None:
        nonlocal tries
        tries += 1
        put(storage, "current.json", b"%d" % tries)

    _before_each_replacement(storage, monkeypatch, change)
    with pytest.raises(KeyChanged):
        current.write(storage, VERSION)
    assert 1 < tries < 10


def test_a_note_that_cannot_be_read_is_no_choice_and_an_error_to_write(
    monkeypatch: pytest.MonkeyPatch, storage: Storage
) -> None:
    def refuse(_: str) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(storage, "read", refuse)
    assert current.read(storage) is None
    with pytest.raises(OSError, match="Input/output"):
        current.write(storage, VERSION)


def test_nobody_knows_what_a_bucket_says_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, storage: Storage
) -> None:
    def refuse(_: str) -> bytes:
        raise StorageUnreachable("no answer in time")

    monkeypatch.setattr(storage, "read", refuse)
    # None would mean that no version is chosen, and the one that is could be removed.
    with pytest.raises(StorageUnreachable):
        current.read(storage)
