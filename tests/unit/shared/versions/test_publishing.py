"""A version is published whole or not at all, with its manifest last."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.errors import VersionNotFound, VersionNotServable
from shared.versions.manifest import MANIFEST_FILE, ONNX_FILE, PIPELINE_FILE, FileDigest
from shared.versions.storage.base import Storage
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.external_data import PLACES
from tests.support.manifests import VERSION, publish_files, write_manifest
from tests.support.memory_storage import MemoryStorage
from tests.support.stored import contents, fail_after, files
from tests.support.versions import PLOTS, exported_pipeline, publish

EARLIER = "20250101-000000-aaaaaa"
NO_SPACE = OSError(28, "No space left on device")


def test_a_published_version_holds_its_files_with_their_digests_and_nothing_else(
    storage: Storage,
) -> None:
    version = publish(storage)
    assert contents(storage) == [version]
    names = {ONNX_FILE, PIPELINE_FILE, *(plot.file for plot in PLOTS)}
    assert files(storage, version) == sorted({MANIFEST_FILE, *names})
    listed = json.loads(storage.read(f"{version}/{MANIFEST_FILE}"))["files"]
    assert set(listed) == names
    for name, found in listed.items():
        content = storage.read(f"{version}/{name}")
        assert found == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def test_the_manifest_is_stored_last_and_never_replaced(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    created: list[str] = []
    create = storage.create

    def note(key: str, content: bytes) -> None:
        assert storage.list_keys(VERSION) == sorted(created)
        assert ModelStore(storage).versions() == []
        create(key, content)
        created.append(key)

    monkeypatch.setattr(storage, "create", note)
    publish_files(ModelStore(storage), exported_pipeline())
    assert created == [f"{VERSION}/{ONNX_FILE}", f"{VERSION}/{MANIFEST_FILE}"]
    assert ModelStore(storage).versions() == [VERSION]


def test_everything_is_on_disk_before_a_version_has_its_manifest(
    monkeypatch: pytest.MonkeyPatch, models_dir: Path
) -> None:
    synced: list[int] = []
    named_at: list[int] = []
    fsync, link = os.fsync, os.link

    def note_sync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def note_link(source: Path, target: Path) -> None:
        named_at.append(len(synced))
        link(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "link", note_link)
    publish_files(ModelStore(LocalStorage(models_dir)), exported_pipeline())
    folder = models_dir / VERSION
    order = [models_dir, folder / ONNX_FILE, folder, folder / MANIFEST_FILE, folder]
    assert synced == [path.stat().st_ino for path in order]
    assert named_at == [2, 4]


@pytest.mark.parametrize("call", [1, 2, 3, 4, 5])
def test_a_volume_that_fails_while_publishing_is_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch, models_dir: Path, call: int
) -> None:
    storage = LocalStorage(models_dir)
    earlier = write_manifest(storage, EARLIER)
    calls = 0
    fsync = os.fsync

    def fail_at_one(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise NO_SPACE
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_at_one)
    with pytest.raises(OSError, match="No space left"):
        publish_files(ModelStore(storage), exported_pipeline())
    assert contents(storage) == [earlier]


@pytest.mark.parametrize("call", range(8))
def test_a_storage_that_is_full_while_publishing_is_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch, storage: Storage, call: int
) -> None:
    earlier = write_manifest(storage, EARLIER)
    with monkeypatch.context() as full:
        fail_after(storage, full, call, NO_SPACE)
        with pytest.raises(OSError, match="No space left"):
            publish(storage)
    assert contents(storage) == [earlier]
    assert len(files(storage, publish(storage))) == 8, "all the calls that can fail were tried"


def test_a_volume_that_is_gone_is_not_made_anew_by_a_run(models_dir: Path) -> None:
    store = ModelStore(LocalStorage(models_dir))
    with pytest.raises(OSError, match="No such file"):
        publish_files(store, exported_pipeline(), create=False)
    assert not models_dir.exists()
    store.create()
    store.create()
    publish_files(store, exported_pipeline(), create=False)
    assert contents(LocalStorage(models_dir)) == [VERSION]


def test_the_version_of_an_earlier_attempt_stays_as_it_is(
    storage: Storage, model_store: ModelStore
) -> None:
    first = publish_files(model_store, exported_pipeline(), libraries={"attempt": "1"})
    before = storage.read(f"{VERSION}/{MANIFEST_FILE}")
    second = publish_files(model_store, exported_pipeline(), libraries={"attempt": "2"})
    assert second == first
    assert second.libraries == {"attempt": "1"}
    assert storage.read(f"{VERSION}/{MANIFEST_FILE}") == before
    assert contents(storage) == [VERSION]


@pytest.mark.parametrize("call", [0, 1])
def test_an_attempt_that_is_overtaken_while_it_publishes_leaves_the_others_version(
    monkeypatch: pytest.MonkeyPatch, storage: Storage, model_store: ModelStore, call: int
) -> None:
    """As when a worker is frozen in the middle, and wakes after its successor is done."""
    calls = 0
    create = storage.create

    def overtaken(key: str, content: bytes) -> None:
        nonlocal calls
        calls += 1
        if calls == call + 1:
            monkeypatch.setattr(storage, "create", create)
            publish_files(ModelStore(storage), exported_pipeline(), libraries={"attempt": "2"})
        create(key, content)

    monkeypatch.setattr(storage, "create", overtaken)
    found = publish_files(model_store, exported_pipeline(), libraries={"attempt": "1"})
    assert found.libraries == {"attempt": "2"}
    assert model_store.load(VERSION)[0] == found
    assert contents(storage) == [VERSION]


@pytest.mark.parametrize(
    ("onnx", "changes"),
    [
        (b"no model", {}),
        (b"", {}),
        (None, {"files": {}}),
        (None, {"files": {ONNX_FILE: FileDigest(sha256="0" * 64, size=1)}}),
    ],
)
def test_publishing_what_the_api_could_not_read_back_is_an_error(
    storage: Storage, model_store: ModelStore, onnx: bytes | None, changes: dict[str, Any]
) -> None:
    with pytest.raises(VersionNotServable, match=VERSION):
        publish_files(model_store, exported_pipeline() if onnx is None else onnx, **changes)
    assert contents(storage) == []


@pytest.mark.parametrize("place", PLACES)
def test_a_version_with_external_data_is_not_published(
    storage: Storage, model_store: ModelStore, place: str
) -> None:
    with pytest.raises(VersionNotServable, match="external data"):
        publish_files(model_store, PLACES[place]("weights.bin"))
    assert contents(storage) == []


def test_a_storage_that_gives_back_something_else_is_an_error_and_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = MemoryStorage()
    create: Callable[[str, bytes], None] = storage.create
    monkeypatch.setattr(storage, "create", lambda key, content: create(key, content[:-1]))
    with pytest.raises(VersionNotServable, match=VERSION):
        publish_files(ModelStore(storage), exported_pipeline())
    assert contents(storage) == []


@pytest.mark.parametrize("name", ["../escaped", "current.json", "", "20260102-030405-ABCDEF"])
def test_nothing_is_published_under_a_name_that_is_no_versions(
    models_dir: Path, storage: Storage, model_store: ModelStore, name: str
) -> None:
    with pytest.raises(VersionNotFound):
        publish_files(model_store, exported_pipeline(), version=name)
    assert contents(storage) == []
    assert not (models_dir.parent / "escaped").exists()
