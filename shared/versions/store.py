"""Model versions and their life in a storage: published whole, read with their digests checked."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Literal

from pydantic import SecretStr, ValidationError

from shared.errors import PlotNotFound, VersionNotFound, VersionNotServable
from shared.versions import current, digest, names
from shared.versions.manifest import MANIFEST_FILE, ONNX_FILE, FileDigest, Manifest
from shared.versions.onnx_model import OnnxModel
from shared.versions.storage.base import KeyExists, KeyNotFound, Storage

_STAGING_PREFIX = ".staging-"
"""Begins the name of the folder in which earlier releases prepared a version."""

_REMEDY = "restore it from a backup, or choose another version"

Removal = Callable[[str], AbstractContextManager[bool]]
"""Begins the removal of a version: inside the context nobody can choose it. The value says whether
it may be removed. Raises OSError if nobody knows."""


def unguarded(_: str) -> AbstractContextManager[bool]:
    """Begin a removal where nobody chooses a version."""
    return nullcontext(True)


class ModelStore:
    """The model versions in a storage. Reading needs no more than a storage that can be read.

    With a signing key the store publishes signed versions, and reads no others. Versions that were
    signed with one of the old keys can be read, too.
    """

    def __init__(
        self,
        storage: Storage,
        signing_key: SecretStr | None = None,
        old_signing_keys: Sequence[SecretStr] = (),
        removal: Removal = unguarded,
    ) -> None:
        self._storage = storage
        self._removal = removal
        self._signing_key = signing_key
        self._keys = () if signing_key is None else (signing_key, *old_signing_keys)

    # --- reading -------------------------------------------------------------------------------

    def manifest(self, version: str) -> Manifest:
        """Return a version's manifest.

        Raises:
            VersionNotFound: there is no version of that name.
            VersionNotServable: the manifest is missing or damaged, or not signed although there is
                a key.
        """
        return _parsed(version, self._read(version, MANIFEST_FILE), *self._keys)

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
        """Return the names of all published versions, sound or not, newest first."""
        try:
            keys = self._storage.list_keys()
        except OSError:
            return []
        return sorted(names.published(keys), reverse=True)

    def manifests(self) -> Iterator[Manifest]:
        """Yield the manifest of each version whose manifest is sound, newest first."""
        for version in self.versions():
            try:
                yield self.manifest(version)
            except (VersionNotFound, VersionNotServable):
                continue

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
        """Return the version that was last chosen to be served, as the worker noted it."""
        return current.read(self._storage)

    def free_bytes(self) -> int | None:
        """Return how much room the storage has; None if it has no end, or does not say."""
        with suppress(OSError):
            return self._storage.free_bytes()
        return None

    # --- writing: the worker only --------------------------------------------------------------

    def create(self) -> None:
        """Make the storage, if there is none yet.

        Runs do not do this: if the volume is gone, they would fill the folder that it was mounted
        on.
        """
        self._storage.prepare()

    def new_version(self) -> str:
        """Return a name later than every sound version's, even if the clock was set back."""
        return names.later_than(manifest.model_version for manifest in self.manifests())

    def publish(self, manifest: Manifest, files: Mapping[str, bytes]) -> Manifest:
        """Store the files and then the manifest, from which moment on the version exists.

        If an earlier attempt at the same job has published that version, the version stays as it
        is and its manifest is returned: a version never changes once it has its manifest.

        Raises:
            VersionNotServable: what was stored does not read back as the API would read it.
            OSError: the storage does not take the version.
        """
        version = names.checked(manifest.model_version)
        self._remove_unfinished()
        if f"{version}/{MANIFEST_FILE}" in self._storage.list_keys(version):
            return self.load(version)[0]
        text = digest.add(manifest.model_dump_json(indent=2).encode(), self._signing_key)
        try:
            for name, content in files.items():
                self._storage.create(f"{version}/{name}", content)
            self._storage.create(f"{version}/{MANIFEST_FILE}", text)
            return self.load(version)[0]
        except KeyExists:
            # Another attempt at the same job publishes the version at this moment, so the files
            # are not this attempt's to remove.
            return self.load(version)[0]
        except (VersionNotServable, OSError):
            # What is wrong with the storage may stand in the way of this, too.
            with suppress(OSError, VersionNotFound):
                self.discard(version)
            raise

    def set_current(self, version: str) -> None:
        """Note which version is chosen, for API processes that start without Redis.

        Raises:
            OSError: the storage does not take the note.
        """
        current.write(self._storage, version)

    def sign(self, version: str) -> bool:
        """Sign a sound version that is not signed, or signed with an old key; False if with this.

        At every moment the version has one signature or the other.

        Raises:
            VersionNotFound: there is no version of that name.
            VersionNotServable: the version is damaged, or signed with an unknown key.
            OSError: the storage does not take the signature.
        """
        content = self._read(version, MANIFEST_FILE)
        keys = self._keys if digest.is_signed(content) else ()
        manifest = _parsed(version, content, *keys)
        body = digest.check(content, *keys)
        signed = digest.add(body, self._signing_key)
        if signed == content:
            return False
        self._read_described(manifest, ONNX_FILE)
        self._storage.replace(f"{version}/{MANIFEST_FILE}", signed, content)
        return True

    def discard(self, version: str) -> bool:
        """Remove a version, unless it is chosen; return whether it is removed.

        Raises:
            VersionNotFound: there is no version of that name.
            OSError: the storage does not let go of the version, or nobody knows whether it is
                chosen.
        """
        with self._removal(names.checked(version)) as may_be_removed:
            if not self._storage.list_keys(version):
                raise names.unknown(version)
            if may_be_removed:
                # First, so that nobody finds a version that is half gone.
                self._storage.delete(f"{version}/{MANIFEST_FILE}")
                self._storage.delete(version)
        return may_be_removed

    # -------------------------------------------------------------------------------------------

    def _read(self, version: str, name: str) -> bytes:
        try:
            try:
                return self._storage.read(f"{names.checked(version)}/{name}")
            except KeyNotFound:
                if not self._storage.list_keys(version):
                    raise names.unknown(version) from None
                reason = "is missing"
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

    def _remove_unfinished(self) -> None:
        """Remove what killed workers left without a manifest: only one run publishes at a time."""
        keys = self._storage.list_keys()
        folders = {folder for folder, slash, _ in (key.partition("/") for key in keys) if slash}
        # A chosen version has lost its manifest rather than never had it.
        for folder in folders - names.published(keys) - {self.current()}:
            with suppress(OSError, VersionNotFound):
                if names.is_name(folder):
                    self.discard(folder)
                elif folder.startswith(_STAGING_PREFIX):
                    self._storage.delete(folder)


def digests(files: Mapping[str, bytes]) -> dict[str, FileDigest]:
    """Return the SHA-256 and the size of each file."""
    return {name: _digest(content) for name, content in sorted(files.items())}


def _parsed(version: str, content: bytes, *keys: SecretStr) -> Manifest:
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
