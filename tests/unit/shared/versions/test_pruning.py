from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from shared.errors import VersionNotFound
from shared.versions.pruning import prune
from shared.versions.storage.base import Storage
from shared.versions.store import ModelStore, Removal
from tests.support.manifests import VERSION, write_manifest
from tests.support.stored import contents, put

PROMOTED = [f"2026010{day}-000000-aaaaaa" for day in range(1, 7)]
REJECTED = [f"2026010{day}-000000-bbbbbb" for day in range(1, 7)]


def removal(is_chosen: Callable[[str], bool]) -> Removal:
    """Stand in for the version key."""

    @contextmanager
    def begin(version: str) -> Iterator[bool]:
        yield not is_chosen(version)

    return begin


@pytest.fixture
def twelve_versions(storage: Storage) -> None:
    """Six promoted and six rejected ones, oldest first."""
    for name in PROMOTED:
        write_manifest(storage, name)
    for name in REJECTED:
        write_manifest(storage, name, "rejected")


@pytest.mark.usefixtures("twelve_versions")
@pytest.mark.parametrize("keep", [1, 2, 6, 10])
def test_the_newest_promoted_versions_are_kept_and_three_rejected_ones(
    storage: Storage, model_store: ModelStore, keep: int
) -> None:
    removed = prune(model_store, keep)
    assert contents(storage) == sorted(PROMOTED[-keep:] + REJECTED[-3:])
    assert sorted(removed) == sorted(PROMOTED[:-keep] + REJECTED[:3])


@pytest.mark.usefixtures("twelve_versions")
def test_a_chosen_version_is_never_removed_however_old_or_unwanted(storage: Storage) -> None:
    chosen = {PROMOTED[0], REJECTED[0]}
    model_store = ModelStore(storage, removal=removal(chosen.__contains__))
    prune(model_store, 1, unwanted=[*chosen, VERSION])
    assert set(contents(storage)) == chosen | {PROMOTED[-1]} | set(REJECTED[-3:])
    assert prune(model_store, 1) == []


def test_the_version_that_was_last_chosen_stays(storage: Storage, model_store: ModelStore) -> None:
    names = [write_manifest(storage, f"2026010{day}-000000-aaaaaa") for day in range(1, 4)]
    model_store.set_current(names[0])
    assert prune(model_store, 1, unwanted=[names[0]]) == [names[1]]


def test_a_version_chosen_while_others_are_removed_stays(storage: Storage) -> None:
    names = [write_manifest(storage, f"2026010{day}-000000-aaaaaa") for day in range(1, 5)]
    asked: list[str] = []

    def is_chosen(version: str) -> bool:
        asked.append(version)
        # The oldest is chosen when the first has just been removed.
        return version == names[0] and len(asked) > 1

    assert prune(ModelStore(storage, removal=removal(is_chosen)), 1) == [names[2], names[1]]
    assert contents(storage) == [names[0], names[3]]


def test_nothing_is_removed_if_nobody_knows_what_is_chosen(storage: Storage) -> None:
    names = [write_manifest(storage, f"2026010{day}-000000-aaaaaa") for day in range(1, 4)]

    def refuse(_: str) -> bool:
        raise ConnectionError("Redis does not answer")

    model_store = ModelStore(storage, removal=removal(refuse))
    with pytest.raises(OSError, match="does not answer"):
        prune(model_store, 1)
    assert contents(storage) == names


def test_removing_leaves_alone_what_is_no_sound_version(
    storage: Storage, model_store: ModelStore
) -> None:
    write_manifest(storage, VERSION)
    put(storage, "notes/more.txt", b"")
    model_store.set_current(VERSION)
    prune(model_store, 1, unwanted=["notes", "current.json", "../notes"])
    assert contents(storage) == [VERSION, "current.json", "notes"]


def test_a_version_that_another_worker_removes_first_is_no_error(storage: Storage) -> None:
    names = [write_manifest(storage, f"2026010{day}-000000-aaaaaa") for day in range(1, 4)]

    def is_chosen(_: str) -> bool:
        storage.delete(names[0])
        return False

    assert prune(ModelStore(storage, removal=removal(is_chosen)), 1) == [names[1]]
    assert contents(storage) == [names[2]]


def test_what_is_chosen_and_has_lost_its_manifest_is_not_taken_for_unfinished(
    storage: Storage,
) -> None:
    put(storage, f"{PROMOTED[0]}/model.onnx", b"")
    put(storage, f"{PROMOTED[1]}/model.onnx", b"")
    model_store = ModelStore(storage, removal=removal(lambda version: version == PROMOTED[0]))
    with pytest.raises(VersionNotFound):
        model_store.discard(PROMOTED[2])
    assert model_store.discard(PROMOTED[1])
    assert not model_store.discard(PROMOTED[0])
    assert contents(storage) == [PROMOTED[0]]
