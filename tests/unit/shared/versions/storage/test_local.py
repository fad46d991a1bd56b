"""What only a disk does: names, locks, a mount that takes nothing, a power that fails."""

import errno
import fcntl
import multiprocessing
import os
import stat
from collections.abc import Iterator
from multiprocessing.pool import Pool
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.versions.storage import local
from shared.versions.storage.base import KeyChanged, KeyExists
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.stored import contents, files


@pytest.fixture
def storage(models_dir: Path) -> LocalStorage:
    storage = LocalStorage(models_dir)
    storage.prepare()
    return storage


@pytest.fixture
def no_hard_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


def _fail_to_sync(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


# --- what is there -------------------------------------------------------------------------------


def test_keys_are_files_and_nothing_else_is_left(storage: LocalStorage) -> None:
    storage.create("current.json", b"1")
    storage.create("v/model.onnx", b"2")
    storage.replace("current.json", b"3", b"1")
    assert contents(storage) == ["current.json", "v"]
    assert files(storage, "v") == ["model.onnx"]
    assert (storage.folder / "current.json").read_bytes() == b"3"
    assert (storage.folder / "v" / "model.onnx").read_bytes() == b"2"


def test_other_users_may_read_what_the_umask_lets_them(storage: LocalStorage) -> None:
    """The API's container runs under a user of its own."""
    umask = os.umask(0o022)
    try:
        storage.create("v/model.onnx", b"")
        storage.create("current.json", b"")
        storage.replace("current.json", b"1", b"")
    finally:
        os.umask(umask)
    for name, mode in (("v", 0o755), ("v/model.onnx", 0o644), ("current.json", 0o644)):
        assert (storage.folder / name).stat().st_mode & 0o777 == mode


@pytest.mark.parametrize(
    "key", ["", ".", "..", "/", "a/", "/a", "../a", "a/..", "a/./b", "a/b/c", "a\0b", "/etc/passwd"]
)
def test_a_key_never_leads_out_of_the_folder(storage: LocalStorage, key: str) -> None:
    before = contents(LocalStorage(storage.folder.parent)), contents(storage)
    with pytest.raises(ValueError, match="expected a name or a folder and a name"):
        storage.read(key)
    with pytest.raises(ValueError):
        storage.create(key, b"")
    with pytest.raises(ValueError):
        storage.replace(key, b"", b"")
    with pytest.raises(ValueError):
        storage.delete(key)
    assert (contents(LocalStorage(storage.folder.parent)), contents(storage)) == before


def test_what_a_killed_writer_left_is_no_key_and_goes_with_its_folder(
    storage: LocalStorage,
) -> None:
    folder = storage.folder / "v"
    folder.mkdir()
    assert storage.list_keys() == storage.list_keys("v") == ["v/"]
    (folder / ".writing-0123456789ab").write_bytes(b"half")
    (storage.folder / ".writing-0123456789ab").write_bytes(b"half")
    assert storage.list_keys() == storage.list_keys("v") == ["v/"]
    storage.create("v/model.onnx", b"")
    assert storage.list_keys() == storage.list_keys("v") == ["v/model.onnx"]
    storage.delete("v")
    assert storage.list_keys() == []


def test_a_folder_that_cannot_be_listed_may_be_a_version_that_cannot_be_read(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `lost+found` at the root of a volume, whose name no version has."""
    (storage.folder / "lost+found").mkdir()
    storage.create("v/model.onnx", b"")
    listdir = os.listdir

    def refuse(path: Path) -> list[str]:
        if Path(path).name == "lost+found":
            raise PermissionError(errno.EACCES, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert storage.list_keys() == ["lost+found/manifest.json", "v/model.onnx"]


@pytest.mark.parametrize("key", ["v/manifest.json", "current.json", "v/model.onnx"])
def test_what_is_not_a_regular_file_is_refused_and_not_waited_for(
    storage: LocalStorage, key: str
) -> None:
    storage.create("v/plot-roc.svg", b"")
    path = storage.folder / key
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file"):
        storage.read(key)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(OSError, match="not a regular file"):
        storage.read(key)
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError):
        storage.read(key)


@pytest.mark.parametrize(
    ("key", "most"),
    [("v/manifest.json", 2**20), ("current.json", 2**20), ("v/p.svg", 2**25), ("v/m.onnx", 2**30)],
)
def test_a_file_that_is_too_large_is_not_read(storage: LocalStorage, key: str, most: int) -> None:
    storage.create("v/other", b"")
    with (storage.folder / key).open("wb") as sparse:
        sparse.truncate(most + 1)
    with pytest.raises(OSError, match=f"more than the {most:,} bytes"):
        storage.read(key)


def test_a_folder_of_models_may_be_a_link(storage: LocalStorage, tmp_path: Path) -> None:
    storage.create("v/model.onnx", b"1")
    link = tmp_path / "link"
    link.symlink_to(storage.folder)
    assert LocalStorage(link).read("v/model.onnx") == b"1"


def test_a_folder_that_is_gone_is_an_error_and_not_made_anew(models_dir: Path) -> None:
    storage = LocalStorage(models_dir)
    for write in (
        lambda: storage.create("a", b""),
        lambda: storage.create("a/b", b""),
        lambda: storage.replace("a", b"", None),
        lambda: storage.replace("a", b"", b"before"),
        lambda: storage.delete("a"),
        storage.list_keys,
    ):
        with pytest.raises(OSError, match="No such file") as gone:
            write()
        assert gone.value.errno == errno.ENOENT
    assert not models_dir.exists()


# --- a disk that fails ---------------------------------------------------------------------------


def _order(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Notes what is synced, linked and renamed: each with the inode."""
    noted: list[tuple[str, int]] = []
    fsync, link, replace = os.fsync, os.link, Path.replace

    def note_sync(descriptor: int) -> None:
        noted.append(("sync", os.fstat(descriptor).st_ino))
        fsync(descriptor)

    def note_link(source: Path, target: Path) -> None:
        noted.append(("name", source.stat().st_ino))
        link(source, target)

    def note_replace(source: Path, target: Path) -> Path:
        noted.append(("name", source.stat().st_ino))
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "link", note_link)
    monkeypatch.setattr(Path, "replace", note_replace)
    return noted


def test_a_content_is_on_disk_before_its_key_and_the_key_before_the_return(
    monkeypatch: pytest.MonkeyPatch, storage: LocalStorage
) -> None:
    noted = _order(monkeypatch)
    storage.create("v/model.onnx", b"")
    top, folder, file = (
        path.stat().st_ino
        for path in (storage.folder, storage.folder / "v", storage.folder / "v" / "model.onnx")
    )
    assert noted == [("sync", top), ("sync", file), ("name", file), ("sync", folder)]
    noted.clear()
    storage.replace("v/model.onnx", b"1", b"")
    file = (storage.folder / "v" / "model.onnx").stat().st_ino
    assert noted == [("sync", file), ("name", file), ("sync", folder)]


def test_a_content_that_does_not_get_onto_the_disk_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, storage: LocalStorage
) -> None:
    storage.create("current.json", b"before")
    monkeypatch.setattr(os, "fsync", _fail_to_sync)
    with pytest.raises(OSError, match="No space left"):
        storage.create("new.json", b"")
    with pytest.raises(OSError, match="No space left"):
        storage.replace("current.json", b"after", b"before")
    assert contents(storage) == ["current.json"]
    assert storage.read("current.json") == b"before"


def test_reading_takes_no_lock_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, storage: LocalStorage
) -> None:
    storage.create("v/model.onnx", b"content")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    for module, name in ((os, "link"), (os, "fsync"), (os, "mkdir"), (fcntl, "flock")):
        monkeypatch.setattr(module, name, refuse)
    for name in ("write_bytes", "unlink", "rename", "replace", "mkdir"):
        monkeypatch.setattr(Path, name, refuse)
    assert storage.list_keys() == storage.list_keys("v") == ["v/model.onnx"]
    assert storage.read("v/model.onnx") == b"content"
    with pytest.raises(OSError, match="Read-only"):
        storage.create("v/more", b"")


# --- several writers -----------------------------------------------------------------------------


@pytest.mark.usefixtures("no_hard_links")
def test_without_hard_links_creating_never_overwrites_either(storage: LocalStorage) -> None:
    storage.create("v/model.onnx", b"first")
    with pytest.raises(KeyExists):
        storage.create("v/model.onnx", b"second")
    assert storage.read("v/model.onnx") == b"first"
    assert files(storage, "v") == ["model.onnx"]


def test_a_link_that_fails_for_another_reason_is_an_error(
    monkeypatch: pytest.MonkeyPatch, storage: LocalStorage
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match="quota"):
        storage.create("a", b"")
    assert contents(storage) == []


_link = os.link


def _create(folder: Path, number: int, links: bool) -> bool:
    # In a process of its own.
    os.link = _link if links else _refuse_link  # type: ignore[assignment]
    try:
        LocalStorage(folder).create("v/model.onnx", b"%d" % number)
    except KeyExists:
        return False
    return True


def _refuse_link(*_: object) -> None:
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


def _replace(folder: Path, number: int) -> bool:
    try:
        LocalStorage(folder).replace("current.json", b"%d" % number, b"before")
    except KeyChanged:
        return False
    return True


@pytest.fixture(scope="module")
def processes() -> Iterator[Pool]:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        yield pool


@pytest.mark.slow
@pytest.mark.parametrize("links", [True, False])
def test_of_two_processes_that_create_a_key_at_once_one_succeeds(
    storage: LocalStorage, processes: Pool, links: bool
) -> None:
    for _ in range(20):
        tries = [(storage.folder, number, links) for number in range(6)]
        assert sum(processes.starmap(_create, tries, chunksize=1)) == 1
        storage.delete("v")


def test_of_two_processes_that_replace_the_same_content_at_once_one_succeeds(
    storage: LocalStorage, processes: Pool
) -> None:
    storage.create("current.json", b"before")
    for _ in range(20):
        tries = [(storage.folder, number) for number in range(6)]
        assert sum(processes.starmap(_replace, tries, chunksize=1)) == 1
        storage.replace("current.json", b"before", storage.read("current.json"))


def test_a_lock_that_is_held_for_long_is_an_error_in_words(
    monkeypatch: pytest.MonkeyPatch, storage: LocalStorage
) -> None:
    monkeypatch.setattr(local, "_LOCK_SECONDS", 0.05)
    storage.create("current.json", b"before")
    with storage._locked():
        with pytest.raises(TimeoutError, match="another process has locked .*models for 0.05 s"):
            storage.replace("current.json", b"after", b"before")
        assert storage.read("current.json") == b"before"
    storage.replace("current.json", b"after", b"before")
    assert contents(storage) == ["current.json"]


def test_a_folder_that_cannot_be_locked_has_a_file_for_it(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on NFS, which locks only what is open for writing."""
    flock = fcntl.flock

    def refuse_folders(descriptor: int, operation: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", refuse_folders)
    storage.replace("current.json", b"1", None)
    storage.replace("current.json", b"2", b"1")
    with pytest.raises(KeyChanged):
        storage.replace("current.json", b"3", b"1")
    assert storage.list_keys() == ["current.json"]
    assert storage.read("current.json") == b"2"


def test_the_free_space_is_what_may_be_written(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without what the file system keeps for root."""
    about = SimpleNamespace(f_bavail=7, f_bfree=9, f_frsize=4096, f_bsize=1024)
    monkeypatch.setattr(os, "statvfs", lambda _: about)
    assert storage.free_bytes() == 7 * 4096


def test_a_folder_that_is_gone_has_no_free_space(tmp_path: Path) -> None:
    gone = LocalStorage(tmp_path / "gone")
    with pytest.raises(FileNotFoundError):
        gone.free_bytes()
    # Who only shows it has nothing to show.
    assert ModelStore(gone).free_bytes() is None
