"""Reading the model versions of a storage, with their digests checked."""

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Literal

from pydantic import SecretStr, ValidationError

from shared.errors import PlotNotFound, StoreUnreachable, VersionNotFound, VersionNotServable
from shared.versions import current, digest, names
from shared.versions.current import Note
from shared.versions.manifest import MANIFEST_FILE, ONNX_FILE, FileDigest, Manifest
from shared.versions.onnx_model import OnnxModel
from shared.versions.storage.base import KeyNotFound, Storage, StorageUnreachable

_SOUND_SECONDS = 60.0

_REMEDY = "restore it from a backup, or choose another version"


class ModelReader:
    """The model versions in a storage, to read: a storage that can be read is all that it needs.

    With a signing key it reads signed versions and no others. Versions that were signed with one of
    the old keys can be read, too.
    """

    def __init__(
        self,
        storage: Storage,
        signing_key: SecretStr | None = None,
        old_signing_keys: Sequence[SecretStr] = (),
    ) -> None:
        self._storage = storage
        self._signing_key = signing_key
        self._keys = () if signing_key is None else (signing_key, *old_signing_keys)
        self._kept: dict[str, Manifest] = {}
        """Of a storage across a network: manifests that were read. They never change."""
        self._sound_until: dict[str, float] = {}
        self._checking = threading.Lock()

    def manifest(self, version: str) -> Manifest:
        """Return a version's manifest.

        Raises:
            VersionNotFound: there is no version of that name.
            VersionNotServable: the manifest is missing or damaged, or not signed although there is
                a key.
        """
        return parsed(version, self._read(version, MANIFEST_FILE), *self._keys)

    def load(self, version: str) -> tuple[Manifest, OnnxModel]:
        """Return a version warmed up to predict, from the very bytes whose digest was checked.

        Raises:
            VersionNotFound: there is no version of that name.
            VersionNotServable: the version is damaged, or not signed although there is a key.
        """
        manifest = self.manifest(version)
        onnx = self._read_described(manifest, ONNX_FILE)
        try:
            model = OnnxModel(onnx, manifest.record_schema)
            model.warm_up()
        except ValueError as error:
            raise VersionNotServable(f"model version {version}: {error}") from error
        return manifest, model

    def check(self, version: str) -> Manifest:
        """Return the manifest of a version that loads.

        A version in a bucket that has loaded is not fetched again for a minute: the call that
        asks may have given up waiting for it the first time.

        Raises:
            VersionNotFound: there is no version of that name.
            VersionNotServable: the version is damaged, or not signed although there is a key.
        """
        # One at a time: a client that has given up waiting may ask for the same again.
        with self._checking if self._storage.is_remote else nullcontext():
            if time.monotonic() < self._sound_until.get(version, 0.0):
                return self._kept_manifest(version)
            manifest, _ = self.load(version)
            if self._storage.is_remote:
                self._sound_until = {version: time.monotonic() + _SOUND_SECONDS}
            return manifest

    def plot(self, version: str, name: str) -> bytes:
        """Return an SVG, from the very bytes whose digest was checked.

        Raises:
            VersionNotFound: there is no version of that name.
            PlotNotFound: the version has no such plot.
            VersionNotServable: the plot or the manifest is damaged. A damaged plot does not keep
                the version from being served.
        """
        manifest = self.manifest(version)
        for plot in manifest.plots:
            if plot == name:
                return self._read_described(manifest, plot.file)
        raise PlotNotFound(
            f"model version {version} has no plot {name[:40]!r}; it has "
            f"{', '.join(manifest.plots) or 'none'}"
        )

    def versions(self) -> list[str]:
        """Return the names of all published versions, sound or not, newest first.

        Empty if the storage cannot be read.
        """
        try:
            return self._published()
        except OSError:
            return []

    def manifests(self) -> Iterator[Manifest]:
        """Yield the manifest of each version whose manifest is sound, newest first."""
        for version in self.versions():
            with suppress(VersionNotFound, VersionNotServable):
                yield self._kept_manifest(version)

    def listed(self) -> list[Manifest]:
        """Return the manifests, as `manifests` yields them.

        Raises:
            StoreUnreachable: the storage does not answer, so nobody knows which there are.
        """
        found = []
        try:
            versions = self._published()
        except StorageUnreachable as error:
            raise StoreUnreachable(f"the model versions cannot be listed: {error}") from error
        except OSError:
            return []
        for version in versions:
            try:
                found.append(self._kept_manifest(version))
            except StoreUnreachable:
                raise
            except (VersionNotFound, VersionNotServable):
                continue
        return found

    def _published(self) -> list[str]:
        published = names.published(self._storage.list_keys())
        for gone in self._kept.keys() - published:
            self._kept.pop(gone, None)
        return sorted(published, reverse=True)

    def _kept_manifest(self, version: str) -> Manifest:
        manifest = self._kept.get(version) or self.manifest(version)
        if self._storage.is_remote:
            self._kept[version] = manifest
        return manifest

    def unreadable(self) -> Iterator[str]:
        """Yield why each version that is not sound cannot be read, or why the storage cannot."""
        try:
            versions = names.published(self._storage.list_keys())
        except OSError as error:
            yield f"the models folder cannot be read: {error.strerror or error}"
            return
        for version in sorted(versions, reverse=True):
            try:
                self.manifest(version)
            except VersionNotFound:
                # Removed meanwhile.
                continue
            except VersionNotServable as error:
                yield str(error)

    def current(self) -> str | None:
        """Return the version that was last chosen to be served; None if none is noted.

        Raises:
            StorageUnreachable: a storage across a network does not answer, so nobody knows.
        """
        return current.read(self._storage)

    def note(self) -> Note | None:
        """Return the whole note of that choice; None if there is none.

        Raises:
            OSError: the storage does not answer.
        """
        return current.look(self._storage)

    def free_bytes(self) -> int | None:
        """Return how much room the storage has; None if it has no end, or does not say."""
        with suppress(OSError):
            return self._storage.free_bytes()
        return None

    def _read(self, version: str, name: str) -> bytes:
        try:
            try:
                return self._storage.read(f"{names.checked(version)}/{name}")
            except KeyNotFound:
                if not self._storage.list_keys(version):
                    raise names.unknown(version) from None
                reason = "is missing"
        except StorageUnreachable as error:
            raise StoreUnreachable(
                f"model version {version}: {name} cannot be read, because {error}; try again"
            ) from error
        except OSError as error:
            reason = f"cannot be read ({error.strerror or error})"
        raise VersionNotServable(f"model version {version}: {name} {reason}; {_REMEDY}")

    def _read_described(self, manifest: Manifest, name: str) -> bytes:
        version = manifest.model_version
        content = self._read(version, name)
        if _digest(content) != manifest.files.get(name):
            raise VersionNotServable(
                f"model version {version}: {name} is not the file that its manifest describes; "
                f"{_REMEDY}"
            )
        return content


def digests(files: Mapping[str, bytes]) -> dict[str, FileDigest]:
    """Return the SHA-256 and the size of each file."""
    return {name: _digest(content) for name, content in sorted(files.items())}


def parsed(version: str, content: bytes, *keys: SecretStr) -> Manifest:
    """Return a version's manifest, from the very bytes whose digest was checked."""
    try:
        text = digest.check(content, *keys)
        # Under a right digest an unknown field is a later release's. Without one its name may be
        # damaged.
        extra: Literal["ignore", "forbid"] = "ignore" if text is not content else "forbid"
        manifest = Manifest.model_validate_json(text, extra=extra)
    except digest.DigestWrong as error:
        raise VersionNotServable(f"model version {version}: {MANIFEST_FILE} {error}") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise VersionNotServable(
            f"model version {version}: {MANIFEST_FILE} is damaged: {where}: {first['msg']}; "
            f"{_REMEDY}"
        ) from error
    if manifest.model_version != version:
        raise VersionNotServable(
            f"model version {version}: {MANIFEST_FILE} is that of {manifest.model_version}; "
            f"{_REMEDY}"
        )
    return manifest


def _digest(content: bytes) -> FileDigest:
    return FileDigest(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
