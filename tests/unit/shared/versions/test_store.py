import shutil
from pathlib import Path

import pytest

from shared.errors import VersionNotFound
from shared.versions.manifest import MANIFEST_FILE, ONNX_FILE, VERSION_PATTERN
from shared.versions.storage.base import Storage
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.manifests import write_manifest
from tests.support.stored import contents, put
from tests.support.versions import publish

# --- listing -------------------------------------------------------------------------------------


def test_the_sound_versions_are_listed_newest_first(
    storage: Storage, model_store: ModelStore
) -> None:
    names = [f"2026010{day}-000000-{'f' if day == 1 else '0'}aaaaa" for day in (1, 3, 2)]
    for name in names:
        write_manifest(storage, name)
    damaged = write_manifest(storage, "20260109-000000-aaaaaa")
    put(storage, f"{damaged}/{MANIFEST_FILE}", b"{")
    put(storage, f"20260110-000000-aaaaaa/{ONNX_FILE}", b"its manifest is missing")
    put(storage, f"notes/{MANIFEST_FILE}", b"{}")
    put(storage, "current.json", b"{}")
    listed = [version.model_version for version in model_store.manifests()]
    assert listed == sorted(names, reverse=True)
    assert model_store.versions() == [damaged, *listed]


def test_a_volume_that_is_not_there_yet_has_no_versions(model_store: ModelStore) -> None:
    assert list(model_store.manifests()) == []
    assert model_store.current() is None
    assert VERSION_PATTERN.fullmatch(model_store.new_version())


# --- removing ------------------------------------------------------------------------------------


def test_a_discarded_version_is_gone_whole(storage: Storage, model_store: ModelStore) -> None:
    version = publish(storage)
    model_store.discard(version)
    assert contents(storage) == []
    with pytest.raises(VersionNotFound):
        model_store.load(version)


def test_a_version_loses_its_manifest_before_its_files(
    monkeypatch: pytest.MonkeyPatch, storage: Storage, model_store: ModelStore
) -> None:
    version = publish(storage)
    deleted: list[str] = []
    delete = storage.delete

    def note(key: str) -> None:
        deleted.append(key)
        delete(key)

    monkeypatch.setattr(storage, "delete", note)
    model_store.discard(version)
    assert deleted == [f"{version}/{MANIFEST_FILE}", version]


def test_a_copied_volume_serves_what_it_served(models_dir: Path, tmp_path: Path) -> None:
    version = publish(models_dir)
    ModelStore(LocalStorage(models_dir)).set_current(version)
    shutil.copytree(models_dir, tmp_path / "copy")
    copy = ModelStore(LocalStorage(tmp_path / "copy"))
    assert copy.current() == version
    assert copy.load(version)[0].model_version == version
