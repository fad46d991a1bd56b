"""The archive of a backup: a tar of the versions and of the choice of the served one.

It holds what the folder of the versions holds, so `tar -x` unpacks it, too. The chosen version
comes before the others, and each version's manifest after its other files.
"""

import io
import itertools
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from shared.errors import StoreUnreachable, VersionNotFound, VersionNotServable
from shared.versions import current
from shared.versions.manifest import MANIFEST_FILE, ONNX_FILE
from shared.versions.reader import digests
from shared.versions.storage.base import Content, KeyNotFound, Storage, StorageUnreachable
from shared.versions.store import ModelStore

TOP = ""
"""Stands for the folder of what lies beside the versions."""


@dataclass(frozen=True)
class Version:
    name: str
    files: dict[str, bytes]
    """Those that are sound; the manifest is the last."""
    damaged: list[str]
    """Those that the manifest describes and that are not sound, or not there."""


class Unpacked:
    """A folder of an archive as a storage to read from, so that a store can check it."""

    is_remote = False

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = contents

    def read(self, key: str) -> bytes:
        try:
            return self._contents[key]
        except KeyError:
            raise KeyNotFound(f"{key} is not in the archive") from None

    def read_if_changed(self, key: str, tag: str | None) -> Content | None:
        return Content(self.read(key), "")

    def list_keys(self, folder: str = "") -> list[str]:
        start = f"{folder}/" if folder else ""
        return sorted(key for key in self._contents if key.startswith(start))

    def prepare(self) -> None:
        raise io.UnsupportedOperation("an archive is only read")

    def free_bytes(self) -> int | None:
        return 0

    def create(self, key: str, content: bytes) -> None:
        self.prepare()

    def replace(self, key: str, content: bytes, expected: bytes | None) -> None:
        self.prepare()

    def delete(self, key: str) -> None:
        self.prepare()


def write(stream: BinaryIO, storage: Storage, store: ModelStore) -> list[str]:
    """Write the archive; return a sentence for each thing that is damaged and left out.

    Whatever is chosen, published or pruned meanwhile, the archive has the version that it names.

    Raises:
        VersionNotFound, VersionNotServable: the chosen version is not there, or not sound.
        OSError: the storage is gone, or the stream takes no more.
    """
    left_out = []
    chosen = store.current()
    # Before anything is written.
    version = None if chosen is None else sound(chosen, storage, store)
    with tarfile.open(fileobj=stream, mode="w|") as tar:
        if version is not None:
            _add(tar, current.KEY, current.content(version.name))
            left_out += _add_version(tar, version)
        for name in store.versions():
            if name == chosen:
                continue
            try:
                left_out += _add_version(tar, sound(name, storage, store))
            except VersionNotFound:
                # Pruned since it was listed.
                continue
            except VersionNotServable as error:
                left_out.append(str(error))
    return left_out


def read(stream: BinaryIO) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield each folder of an archive with its keys and their contents; `TOP` is one, too.

    Raises:
        tarfile.TarError: the stream is not a tar, or ends too early.
    """
    with tarfile.open(fileobj=stream, mode="r|*") as tar:
        # An archive that was made by hand names its files "./current.json".
        members = ((PurePosixPath(member.name), member) for member in tar if member.isreg())
        for folder, group in itertools.groupby(members, key=lambda found: found[0].parent):
            contents = {}
            for path, member in group:
                content = tar.extractfile(member)
                assert content is not None, "a regular file"
                contents[str(path)] = content.read()
            yield TOP if folder == PurePosixPath() else str(folder), contents


def sound(name: str, storage: Storage, store: ModelStore) -> Version:
    """Return a version with its files that are as its manifest describes them.

    Raises:
        VersionNotFound: there is no version of that name.
        VersionNotServable: the manifest or the model is damaged, or signed with another key.
        StoreUnreachable: the storage does not answer, so nobody knows what is damaged.
    """
    manifest = store.manifest(name)
    files = {}
    for file, described in manifest.files.items():
        try:
            content = storage.read(f"{name}/{file}")
        except StorageUnreachable as error:
            raise StoreUnreachable(f"model version {name}: {file}: {error}") from error
        except OSError:
            continue
        if digests({file: content})[file] == described:
            files[file] = content
    if ONNX_FILE not in files:
        raise VersionNotServable(
            f"model version {name}: {ONNX_FILE} is not the file that its manifest describes"
        )
    damaged = sorted(manifest.files.keys() - files.keys())
    return Version(name, files | {MANIFEST_FILE: storage.read(f"{name}/{MANIFEST_FILE}")}, damaged)


def restore(version: Version, storage: Storage) -> None:
    """Store a version in place of what is there under its name, which is not sound.

    Raises:
        OSError: the storage does not take the version.
    """
    # The manifest goes first and comes last, so that nobody finds a version that is not whole.
    storage.delete(f"{version.name}/{MANIFEST_FILE}")
    storage.delete(version.name)
    for file, content in version.files.items():
        storage.create(f"{version.name}/{file}", content)


def _add_version(tar: tarfile.TarFile, version: Version) -> list[str]:
    for file, content in version.files.items():
        _add(tar, f"{version.name}/{file}", content)
    return [f"model version {version.name}: {file} is damaged" for file in version.damaged]


def _add(tar: tarfile.TarFile, key: str, content: bytes) -> None:
    entry = tarfile.TarInfo(key)
    entry.size, entry.mtime, entry.mode = len(content), int(time.time()), 0o644
    tar.addfile(entry, io.BytesIO(content))
