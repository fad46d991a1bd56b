"""What every storage promises."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from shared.versions.storage.base import KeyChanged, KeyExists, KeyNotFound, Storage, StorageError
from shared.versions.store import ModelStore

RACERS = 8
ROUNDS = 20


@pytest.fixture(autouse=True)
def prepared(storage: Storage) -> None:
    storage.prepare()


@pytest.fixture
def race() -> Iterator[Callable[[Callable[[int], None]], list[int]]]:
    """Lets several threads try the same at once; the numbers of those that succeeded."""
    with ThreadPoolExecutor(RACERS) as pool:
        barrier = Barrier(RACERS, timeout=30)

        def run(step: Callable[[int], None]) -> list[int]:
            def attempt(number: int) -> bool:
                barrier.wait()
                try:
                    step(number)
                except (KeyExists, KeyChanged):
                    return False
                return True

            return [number for number, won in enumerate(pool.map(attempt, range(RACERS))) if won]

        yield run


Race = Callable[[Callable[[int], None]], list[int]]


@pytest.mark.parametrize("key", ["current.json", "a/b.bin"])
def test_what_was_created_is_read_as_it_was(storage: Storage, key: str) -> None:
    content = bytes(range(256)) * 1000
    storage.create(key, content)
    assert storage.read(key) == content
    assert storage.list_keys() == [key]


@pytest.mark.parametrize("key", ["current.json", "a/b.bin", "a/missing", "b/c"])
def test_what_is_not_there_is_not_found(storage: Storage, key: str) -> None:
    storage.create("a/there", b"")
    with pytest.raises(KeyNotFound):
        storage.read(key)


def test_a_name_is_not_found_as_a_folder(storage: Storage) -> None:
    storage.create("a", b"")
    assert storage.list_keys("a") == []
    with pytest.raises(KeyNotFound):
        storage.read("a/b")


@pytest.mark.parametrize("key", ["current.json", "a/b.bin"])
def test_creating_never_overwrites(storage: Storage, key: str) -> None:
    storage.create(key, b"first")
    with pytest.raises(KeyExists, match=key):
        storage.create(key, b"second")
    assert storage.read(key) == b"first"
    assert storage.list_keys() == [key]


@pytest.mark.parametrize("key", ["current.json", "a/b.bin"])
def test_of_those_that_create_a_key_at_once_one_succeeds(
    storage: Storage, race: Race, key: str
) -> None:
    for _ in range(ROUNDS):
        (winner,) = race(lambda number: storage.create(key, b"%d" % number))
        assert storage.read(key) == b"%d" % winner
        storage.delete(key)


@pytest.mark.parametrize("key", ["current.json", "a/b.bin"])
def test_a_content_is_replaced_if_it_is_what_was_expected(storage: Storage, key: str) -> None:
    storage.replace(key, b"first", None)
    storage.replace(key, b"second", b"first")
    assert storage.read(key) == b"second"
    assert storage.list_keys() == [key]


@pytest.mark.parametrize("expected", [None, b"", b"earlier", b"now "])
def test_a_stale_expectation_is_refused(storage: Storage, expected: bytes | None) -> None:
    storage.create("a/b", b"now")
    with pytest.raises(KeyChanged):
        storage.replace("a/b", b"new", expected)
    assert storage.read("a/b") == b"now"
    assert storage.list_keys() == ["a/b"]


@pytest.mark.parametrize("key", ["current.json", "a/b.bin"])
def test_what_is_missing_is_not_replaced(storage: Storage, key: str) -> None:
    with pytest.raises(KeyChanged):
        storage.replace(key, b"new", b"old")
    assert storage.list_keys("a") == []
    with pytest.raises(KeyNotFound):
        storage.read(key)


@pytest.mark.parametrize("expected", [None, b"before"])
def test_of_those_that_replace_the_same_content_at_once_one_succeeds(
    storage: Storage, race: Race, expected: bytes | None
) -> None:
    for _ in range(ROUNDS):
        if expected is not None:
            storage.create("current.json", expected)
        (winner,) = race(lambda number: storage.replace("current.json", b"%d" % number, expected))
        assert storage.read("current.json") == b"%d" % winner
        storage.delete("current.json")


def test_no_step_of_a_count_is_lost(storage: Storage) -> None:
    storage.create("count", b"0")

    def count(_: int) -> None:
        for _ in range(ROUNDS):
            while True:
                before = storage.read("count")
                try:
                    storage.replace("count", b"%d" % (int(before) + 1), before)
                    break
                except KeyChanged:
                    continue

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    assert storage.read("count") == b"%d" % (4 * ROUNDS)


def test_the_keys_of_all_and_of_a_folder_are_listed(storage: Storage) -> None:
    for key in ("b/2", "b/1", "a/1", "bb/1", "c"):
        storage.create(key, b"")
    assert storage.list_keys() == ["a/1", "b/1", "b/2", "bb/1", "c"]
    assert storage.list_keys("b") == ["b/1", "b/2"]
    assert storage.list_keys("none") == storage.list_keys("c") == []


def test_a_key_is_deleted_and_a_folder_with_all_its_keys(storage: Storage) -> None:
    for key in ("a", "b/1", "b/2", "bb/1"):
        storage.create(key, b"")
    storage.delete("a")
    assert storage.list_keys() == ["b/1", "b/2", "bb/1"]
    storage.delete("b/1")
    assert storage.list_keys() == ["b/2", "bb/1"]
    storage.create("b/1", b"again")
    storage.delete("b")
    assert storage.list_keys() == ["bb/1"]


@pytest.mark.parametrize("key", ["none", "none/1", "a/none", "b/1"])
def test_what_is_missing_is_deleted_already(storage: Storage, key: str) -> None:
    storage.create("a/1", b"")
    storage.create("b", b"")
    storage.delete(key)
    assert storage.list_keys() == ["a/1", "b"]


def test_the_free_space_is_a_number_of_bytes_or_has_no_end(storage: Storage) -> None:
    free = storage.free_bytes()
    assert free is None or free >= 0
    assert ModelStore(storage).free_bytes() is None or free is not None


def test_preparing_again_changes_nothing(storage: Storage) -> None:
    storage.create("a/1", b"")
    storage.prepare()
    assert storage.list_keys() == ["a/1"]


@pytest.mark.parametrize("error", [KeyNotFound, KeyExists, KeyChanged])
def test_the_errors_are_those_of_a_disk_to_who_does_not_tell_them_apart(
    error: type[StorageError],
) -> None:
    assert issubclass(error, OSError)
