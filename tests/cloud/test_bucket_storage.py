"""A bucket keeps what every storage promises: the tests of folders, over the clouds' protocols."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import bucket
from shared.versions.storage.base import KeyChanged, KeyExists, Storage, StorageUnreachable
from shared.versions.storage.bucket import BucketStorage
from tests.support.azure_emulator import AzureEmulator, azure_emulator
from tests.support.google_stand_in import Google, google
from tests.support.weed import BucketServer
from tests.unit.shared.versions.storage import test_storage as promises
from tests.unit.shared.versions.storage.test_storage import *  # noqa: F403

_SECONDS = 20.0
"""Longer than a busy machine takes."""

_prefixes = iter(range(1_000_000))


@pytest.fixture(scope="module")
def gcs() -> Iterator[Google]:
    with google() as server:
        yield server


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureEmulator]:
    with azure_emulator(tmp_path_factory.mktemp("azure")) as emulator:
        yield emulator


@pytest.fixture(params=["weed", "google", "azure"])
def storage(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Storage:
    """Return a new place in a bucket."""
    # A contended creation takes SeaweedFS seconds.
    monkeypatch.setattr(promises, "ROUNDS", 1)
    monkeypatch.setattr(promises, "RACERS", 4)
    prefix = f"models/{next(_prefixes)}"
    if request.param == "weed":
        server: BucketServer = request.getfixturevalue("weed")
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        return _storage(server.url(prefix), server.endpoint)
    if request.param == "azure":
        emulator: AzureEmulator = request.getfixturevalue("azure")
        return _storage(emulator.url(prefix), emulator.endpoint)
    stand_in: Google = request.getfixturevalue("gcs")
    return _storage(f"gs://bucket/{prefix}", stand_in.url)


def _storage(url: str, endpoint: str) -> BucketStorage:
    parsed = bucket.parse(url)
    client = bucket.client(parsed, endpoint, _SECONDS)
    return BucketStorage(url, client, client)


def test_what_others_put_deeper_below_the_prefix_is_not_listed(storage: Storage) -> None:
    storage.create("a/1", b"")
    assert isinstance(storage, BucketStorage)
    import obstore

    obstore.put(storage._patient, "a/b/c", b"")
    assert storage.list_keys() == ["a/1"]


def test_a_lost_answer_to_a_write_is_read_back(storage: Storage) -> None:
    assert isinstance(storage, BucketStorage)
    stored = _LosingAnswers(storage)
    stored.create("a/1", b"whole")
    assert storage.read("a/1") == b"whole"
    with pytest.raises(KeyExists):
        stored.create("a/1", b"another")
    stored.replace("a/1", b"second", b"whole")
    assert storage.read("a/1") == b"second"
    with pytest.raises(KeyChanged):
        stored.replace("a/1", b"third", b"whole")


def test_a_write_that_did_not_arrive_is_an_error(storage: Storage) -> None:
    assert isinstance(storage, BucketStorage)
    with pytest.raises(StorageUnreachable):
        _LosingAnswers(storage, arrives=False).create("a/1", b"whole")
    assert storage.list_keys() == []


class _LosingAnswers(BucketStorage):
    """A storage whose answers to writes are lost, as when a connection breaks."""

    def __init__(self, over: BucketStorage, arrives: bool = True) -> None:
        super().__init__(over._name, over._quick, over._patient)
        self._arrives = arrives

    def _send(self, key: str, content: bytes, mode: object) -> None:
        if self._arrives:
            super()._send(key, content, mode)
        raise StorageUnreachable("the connection was reset")
