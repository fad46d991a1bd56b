"""With a key the store reads no version that is not signed with it, and signs what was there."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.errors import VersionNotServable
from shared.versions import digest
from shared.versions.manifest import MANIFEST_FILE
from shared.versions.storage.base import KeyChanged, Storage
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.stored import (
    DAMAGED_FILES,
    DAMAGED_MANIFESTS,
    Damage,
    contents,
    files,
    put,
)
from tests.support.versions import publish

KEY, OTHER_KEY = SecretStr("a key of ours"), SecretStr("another's")


def test_with_a_key_what_is_published_is_signed_and_loads(storage: Storage) -> None:
    version = publish(storage, signing_key=KEY)
    assert digest.is_signed(storage.read(f"{version}/{MANIFEST_FILE}"))
    assert ModelStore(storage, KEY).load(version)[0].model_version == version


@pytest.mark.parametrize(
    ("published_with", "read_with", "why"),
    [
        (None, KEY, "make sign"),
        (OTHER_KEY, KEY, "another key"),
        (KEY, None, "LIFEBOAT_SIGNING_KEY"),
    ],
)
def test_a_version_of_another_key_is_neither_loaded_nor_listed(
    storage: Storage, published_with: SecretStr | None, read_with: SecretStr | None, why: str
) -> None:
    version = publish(storage, signing_key=published_with)
    store = ModelStore(storage, read_with)
    with pytest.raises(VersionNotServable, match=why):
        store.load(version)
    assert list(store.manifests()) == []
    assert store.versions() == [version]


def test_a_signed_manifest_moved_to_another_version_is_refused(storage: Storage) -> None:
    first, second = (publish(storage, signing_key=KEY) for _ in range(2))
    put(storage, f"{second}/{MANIFEST_FILE}", storage.read(f"{first}/{MANIFEST_FILE}"))
    with pytest.raises(VersionNotServable, match=first):
        ModelStore(storage, KEY).load(second)


@pytest.mark.parametrize("has_digest", [True, False])
def test_a_version_that_was_there_before_the_key_is_signed_in_place(
    storage: Storage, has_digest: bool
) -> None:
    version = publish(storage)
    key = f"{version}/{MANIFEST_FILE}"
    if not has_digest:
        put(storage, key, digest.check(storage.read(key)) + b"\n")
    there = files(storage, version)
    before, store = ModelStore(storage).manifest(version), ModelStore(storage, KEY)
    assert store.sign(version)
    signed = storage.read(key)
    assert store.load(version)[0] == before
    assert not store.sign(version), "it is signed already"
    assert storage.read(key) == signed
    assert contents(storage) == [version]
    assert files(storage, version) == there


def test_a_version_of_an_old_key_loads_and_is_signed_anew(storage: Storage) -> None:
    version = publish(storage, signing_key=OTHER_KEY)
    before = ModelStore(storage, OTHER_KEY).manifest(version)
    store = ModelStore(storage, KEY, [OTHER_KEY])
    assert store.load(version)[0] == before
    assert store.sign(version)
    assert not store.sign(version), "it is signed with the present key already"
    assert ModelStore(storage, KEY).load(version)[0] == before


def test_old_keys_sign_nothing(storage: Storage) -> None:
    version = publish(storage, signing_key=KEY)
    with pytest.raises(VersionNotServable, match="another key"):
        ModelStore(storage, SecretStr("a third"), [OTHER_KEY]).sign(version)
    assert ModelStore(storage, KEY, [OTHER_KEY]).load(publish(storage, signing_key=OTHER_KEY))


def forge(storage: Storage, version: str) -> None:
    """As one does who has no key."""
    key = f"{version}/{MANIFEST_FILE}"
    put(storage, key, storage.read(key).replace(b'"sha256:', b'"hmac-sha256:'))


@pytest.mark.parametrize(
    ("damage", "named"), [*DAMAGED_FILES, *DAMAGED_MANIFESTS, (forge, "another key")]
)
def test_a_damaged_version_is_not_signed(storage: Storage, damage: Damage, named: str) -> None:
    version = publish(storage)
    damage(storage, version)
    before = storage.read(f"{version}/{MANIFEST_FILE}")
    with pytest.raises(VersionNotServable, match=named):
        ModelStore(storage, KEY).sign(version)
    assert storage.read(f"{version}/{MANIFEST_FILE}") == before


def test_a_manifest_that_changes_while_it_is_signed_stays_as_it_was_changed(
    monkeypatch: pytest.MonkeyPatch, storage: Storage
) -> None:
    version = publish(storage)
    key = f"{version}/{MANIFEST_FILE}"
    add = digest.add

    def add_too_late(text: bytes, with_key: SecretStr | None) -> bytes:
        put(storage, key, b"changed meanwhile")
        return add(text, with_key)

    monkeypatch.setattr(digest, "add", add_too_late)
    with pytest.raises(KeyChanged, match=MANIFEST_FILE):
        ModelStore(storage, KEY).sign(version)
    assert storage.read(key) == b"changed meanwhile"


def test_a_volume_that_fails_while_signing_leaves_the_version_as_it_was(
    monkeypatch: pytest.MonkeyPatch, models_dir: Path
) -> None:
    storage = LocalStorage(models_dir)
    version = publish(storage)
    before, there = storage.read(f"{version}/{MANIFEST_FILE}"), files(storage, version)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        ModelStore(storage, KEY).sign(version)
    assert storage.read(f"{version}/{MANIFEST_FILE}") == before
    assert contents(storage) == [version]
    assert files(storage, version) == there


def test_a_store_does_not_show_its_key(storage: Storage) -> None:
    store = ModelStore(storage, KEY)
    assert KEY.get_secret_value() not in repr(store) + repr(vars(store))
