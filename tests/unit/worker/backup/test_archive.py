"""A backup holds every sound version and the choice, and says what it leaves out."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.errors import VersionNotServable
from shared.versions import current
from shared.versions.manifest import MANIFEST_FILE, ONNX_FILE
from shared.versions.storage.base import Storage
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.memory_storage import MemoryStorage
from tests.support.stored import put, truncate
from tests.support.versions import publish
from worker.backup import archive


@pytest.fixture
def storage(models_dir: Path) -> Storage:
    return LocalStorage(models_dir)


def _written(storage: Storage, key: SecretStr | None = None) -> tuple[io.BytesIO, list[str]]:
    stream = io.BytesIO()
    left_out = archive.write(stream, storage, ModelStore(storage, key))
    stream.seek(0)
    return stream, left_out


def _unpacked(stream: io.BytesIO) -> MemoryStorage:
    storage = MemoryStorage()
    for _, contents in archive.read(stream):
        storage.contents |= contents
    return storage


def test_what_was_written_is_read_again_with_the_choice_and_its_version_first(
    storage: Storage, model_store: ModelStore
) -> None:
    older, newer = publish(storage), publish(storage)
    model_store.set_current(older)
    stream, left_out = _written(storage)
    assert left_out == []
    with tarfile.open(fileobj=stream) as tar:
        names = tar.getnames()
    assert list(dict.fromkeys(name.partition("/")[0] for name in names)) == [
        *(current.KEY, older, newer),
    ]
    assert [name for name in names if name.startswith(newer)][-1] == f"{newer}/{MANIFEST_FILE}"
    stream.seek(0)
    found = _unpacked(stream)
    # A note of its own, which says the same.
    assert current.read(found) == older
    stored = {key: storage.read(key) for key in storage.list_keys()}
    assert found.contents | {current.KEY: b""} == stored | {current.KEY: b""}


def test_without_a_choice_the_versions_are_written(storage: Storage) -> None:
    version = publish(storage)
    found = _unpacked(_written(storage)[0])
    assert current.read(found) is None
    assert ModelStore(found).load(version)


def test_a_damaged_version_is_left_out_and_named_and_so_is_a_damaged_plot(
    storage: Storage, model_store: ModelStore
) -> None:
    spoilt_plot, damaged = publish(storage), publish(storage)
    model_store.set_current(spoilt_plot)
    truncate("plot-roc.svg")(storage, spoilt_plot)
    truncate(ONNX_FILE)(storage, damaged)
    stream, left_out = _written(storage)
    assert ["plot-roc.svg" in left_out[0], damaged in left_out[1]] == [True, True]
    found = _unpacked(stream)
    assert ModelStore(found).versions() == [spoilt_plot]
    assert f"{spoilt_plot}/plot-roc.svg" not in found.contents


def test_there_is_no_backup_without_the_served_version(
    storage: Storage, model_store: ModelStore
) -> None:
    chosen, _ = publish(storage), publish(storage)
    model_store.set_current(chosen)
    truncate(ONNX_FILE)(storage, chosen)
    stream = io.BytesIO()
    with pytest.raises(VersionNotServable, match=chosen):
        archive.write(stream, storage, model_store)
    assert stream.getvalue() == b""


def test_a_version_is_restored_in_place_of_a_damaged_one(storage: Storage) -> None:
    version = publish(storage)
    store = ModelStore(storage)
    found = _unpacked(_written(storage)[0])
    truncate(ONNX_FILE)(storage, version)
    put(storage, f"{version}/more", b"")
    archive.restore(archive.sound(version, found, ModelStore(found)), storage)
    assert {key: storage.read(key) for key in storage.list_keys(version)} == found.contents
    assert store.load(version)


def test_a_version_that_another_key_has_signed_is_not_sound(storage: Storage) -> None:
    key = SecretStr("a key of ours")
    version = publish(storage, signing_key=key)
    found = _unpacked(_written(storage, key)[0])
    assert archive.sound(version, found, ModelStore(found, key)).damaged == []
    for other in (None, SecretStr("another's")):
        with pytest.raises(VersionNotServable, match="sign"):
            archive.sound(version, found, ModelStore(found, other))


def test_an_archive_that_tar_has_made_of_the_folder_is_read(models_dir: Path) -> None:
    version = publish(models_dir)
    (models_dir / current.KEY).write_bytes(current.content(version))
    command = ["tar", "-C", str(models_dir), "-cf", "-", "."]
    made = subprocess.run(command, capture_output=True, check=True).stdout
    found = _unpacked(io.BytesIO(made))
    assert current.read(found) == version
    assert ModelStore(found).load(version)


@pytest.mark.parametrize("cut", [0, 700, 5_000])
def test_what_is_not_a_whole_archive_is_not_taken_for_one(models_dir: Path, cut: int) -> None:
    publish(models_dir)

    whole = _written(LocalStorage(models_dir))[0].getvalue()
    with pytest.raises(tarfile.TarError):
        _unpacked(io.BytesIO(whole[:cut]))
