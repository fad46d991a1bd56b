"""What a killed worker leaves is not a version, and the next publication removes it."""

from pathlib import Path

import pytest

from shared.errors import VersionNotFound, VersionNotServable
from shared.versions.manifest import MANIFEST_FILE, ONNX_FILE
from shared.versions.storage.base import Storage
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.manifests import VERSION, publish_files, write_manifest
from tests.support.stored import contents, fail_after, files, put
from tests.support.versions import exported_pipeline, publish

EARLIER = "20250101-000000-aaaaaa"


class Killed(BaseException):
    """Stands for SIGKILL: nothing is caught, nothing is tidied up."""


@pytest.mark.parametrize("call", range(8))
def test_what_a_killed_worker_left_is_neither_listed_nor_served_and_then_removed(
    monkeypatch: pytest.MonkeyPatch, storage: Storage, model_store: ModelStore, call: int
) -> None:
    earlier = write_manifest(storage, EARLIER)
    with monkeypatch.context() as killed:
        fail_after(storage, killed, call, Killed())
        with pytest.raises(Killed):
            publish(storage, version=VERSION)
    left = contents(storage)
    assert left == ([earlier, VERSION] if call else [earlier])
    assert model_store.versions() == [earlier]
    assert [manifest.model_version for manifest in model_store.manifests()] == [earlier]
    with pytest.raises(VersionNotServable if call else VersionNotFound, match=VERSION):
        model_store.load(VERSION)
    later = publish(storage)
    assert contents(storage) == [earlier, later]


def test_the_next_attempt_at_the_same_version_publishes_its_own_files(
    monkeypatch: pytest.MonkeyPatch, storage: Storage, model_store: ModelStore
) -> None:
    put(storage, f"{VERSION}/{ONNX_FILE}", b"of the attempt that was killed")
    put(storage, f"{VERSION}/plot-roc.svg", b"likewise")
    publish_files(model_store, exported_pipeline())
    assert files(storage, VERSION) == [MANIFEST_FILE, ONNX_FILE]
    assert model_store.load(VERSION)[0].model_version == VERSION


def test_what_earlier_releases_left_half_written_is_removed_and_never_listed(
    models_dir: Path,
) -> None:
    storage = LocalStorage(models_dir)
    put(storage, f".staging-0123456789ab/{ONNX_FILE}", b"half")
    put(storage, f".staging-0123456789ab/{MANIFEST_FILE}", b"{}")
    store = ModelStore(storage)
    assert store.versions() == []
    assert list(store.manifests()) == []
    version = publish(storage)
    assert contents(storage) == [version]


def test_an_empty_folder_that_a_killed_worker_left_is_removed(models_dir: Path) -> None:
    storage = LocalStorage(models_dir)
    (models_dir / VERSION).mkdir(parents=True)
    (models_dir / VERSION / ".writing-0123456789ab").write_bytes(b"half")
    with pytest.raises(VersionNotServable, match=VERSION):
        ModelStore(storage).load(VERSION)
    (models_dir / "notes").mkdir()
    version = publish(storage)
    assert contents(storage) == [version, "notes"]


def test_publishing_removes_neither_the_chosen_version_nor_what_is_not_a_version(
    storage: Storage, model_store: ModelStore
) -> None:
    put(storage, f"{VERSION}/{ONNX_FILE}", b"its manifest was lost")
    put(storage, "notes/manifest.json", b"{}")
    put(storage, "notes/more.txt", b"")
    put(storage, "20260102-030405-aaaaaa", b"a file")
    model_store.create()
    model_store.set_current(VERSION)
    version = publish(storage)
    kept = {VERSION, "notes", "20260102-030405-aaaaaa", "current.json", version}
    assert set(contents(storage)) == kept
    assert model_store.versions() == [version]


def test_a_leftover_that_cannot_be_removed_is_not_in_the_way(
    monkeypatch: pytest.MonkeyPatch, storage: Storage
) -> None:
    put(storage, f"{VERSION}/{ONNX_FILE}", b"half")

    def refuse(_: str) -> None:
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(storage, "delete", refuse)
    version = publish(storage)
    assert set(contents(storage)) == {VERSION, version}
