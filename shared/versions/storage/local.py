"""A folder of the local disk as the storage: the only module that opens files of versions."""

import errno
import fcntl
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.versions.storage.base import (
    Content,
    KeyChanged,
    KeyExists,
    KeyNotFound,
    most_bytes,
    parts_of,
)

_TEMPORARY = ".writing-"
"""Begins the name of a file that is not yet under its key."""

_LOCK = ".lock"
"""The file to lock if the folder cannot be locked: NFS locks only what is open for writing."""

_NO_HARD_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP}
"""How file systems without hard links (FAT, some of FUSE) refuse to make one."""

_ANY = "manifest.json"
"""The key that is listed of a folder that cannot be looked into."""

_LOCK_SECONDS = 10.0
_LOCK_PAUSE_SECONDS = 0.01


class LocalStorage:
    """A folder. Reading it needs no more than a read-only mount, and takes no lock.

    A content is on the disk before its key is there, and the key is on the disk when a method
    returns, whatever becomes of the power.
    """

    is_remote = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def read(self, key: str) -> bytes:
        try:
            return _content(self._path(key))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise KeyNotFound(f"{key} is not in {self.folder}") from error

    def read_if_changed(self, key: str, tag: str | None) -> Content | None:
        # A new content is a new file, so its inode or its time differs.
        try:
            about = os.stat(self._path(key))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise KeyNotFound(f"{key} is not in {self.folder}") from error
        found = f"{about.st_ino}-{about.st_mtime_ns}-{about.st_size}"
        return None if found == tag else Content(self.read(key), found)

    def list_keys(self, folder: str = "") -> list[str]:
        if folder:
            try:
                return self._keys_in(folder)
            except (FileNotFoundError, NotADirectoryError):
                return []
        keys: list[str] = []
        for name in _names(self.folder):
            try:
                keys += self._keys_in(name)
            except NotADirectoryError:
                keys.append(name)
            except FileNotFoundError:
                # Just removed.
                continue
            except OSError:
                # It may be a version or the `lost+found` of a volume. Whoever reads its manifest
                # learns why it cannot be read.
                keys.append(f"{name}/{_ANY}")
        return keys

    def create(self, key: str, content: bytes) -> None:
        path = self._path(key)
        self._make_parent(path)
        with _written_beside(path, content) as temporary:
            try:
                os.link(temporary, path)
            except FileExistsError:
                raise _exists(key) from None
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                with self._locked():
                    if path.exists():
                        raise _exists(key) from None
                    temporary.rename(path)
        _sync(path.parent)

    def replace(self, key: str, content: bytes, expected: bytes | None) -> None:
        try:
            if expected is None:
                self.create(key, content)
            else:
                self._replace(key, content, expected)
        except (KeyExists, KeyNotFound) as error:
            raise _changed(key) from error

    def _replace(self, key: str, content: bytes, expected: bytes) -> None:
        path = self._path(key)
        with self._locked():
            if self.read(key) != expected:
                raise _changed(key)
            with _written_beside(path, content) as temporary:
                temporary.replace(path)
        _sync(path.parent)

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self._locked():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                with suppress(NotADirectoryError):
                    path.unlink(missing_ok=True)

    def free_bytes(self) -> int:
        about = os.statvfs(self.folder)
        # Without what is kept for root.
        return about.f_bavail * about.f_frsize

    def _keys_in(self, folder: str) -> list[str]:
        names = _names(self._path(folder))
        return [f"{folder}/{name}" for name in names] or [f"{folder}/"]

    def _path(self, key: str) -> Path:
        return self.folder.joinpath(*parts_of(key))

    def _make_parent(self, path: Path) -> None:
        # Never the folder itself: a volume that is gone must not be replaced by the folder that it
        # was mounted on.
        if path.parent == self.folder:
            return
        with suppress(FileExistsError):
            path.parent.mkdir()
            _sync(self.folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one thread of one process at a time compare what is there and change it.

        A process that is frozen while it has the lock holds others up for ten seconds at most.
        """
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            deadline = time.monotonic() + _LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    if error.errno == errno.EBADF and stat.S_ISDIR(os.fstat(descriptor).st_mode):
                        os.close(descriptor)
                        descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
                        continue
                    if not isinstance(error, BlockingIOError):
                        raise
                    if time.monotonic() > deadline:
                        raise TimeoutError(
                            errno.ETIMEDOUT,
                            f"another process has locked {self.folder} for {_LOCK_SECONDS:g} s",
                        ) from None
                    time.sleep(_LOCK_PAUSE_SECONDS)
            yield
        finally:
            os.close(descriptor)


def _content(path: Path) -> bytes:
    """Read a regular file of a size that there can be.

    Whoever writes to the volume may put a pipe or a device in its place, which would hold the
    reader for ever, or a file that fills its memory.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        most = most_bytes(path.name)
        content = file.read(most + 1) if about.st_size <= most else b""
        if about.st_size > most or len(content) > most:
            raise OSError(errno.EFBIG, f"it has more than the {most:,} bytes that are read")
        return content


@contextmanager
def _written_beside(path: Path, content: bytes) -> Iterator[Path]:
    """Yield a file in the same folder that has the content, on the disk; it is gone afterwards."""
    temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(6)}")
    try:
        temporary.write_bytes(content)
        _sync(temporary)
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink()


def _names(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if not name.startswith((_TEMPORARY, _LOCK)))


def _exists(key: str) -> KeyExists:
    return KeyExists(f"{key} exists already")


def _changed(key: str) -> KeyChanged:
    return KeyChanged(f"{key} was changed meanwhile; try again")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
