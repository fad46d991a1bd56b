"""Model versions and their life in a storage: published whole, signed, removed."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress

from pydantic import SecretStr

from shared.errors import VersionNotFound, VersionNotServable
from shared.versions import current, digest, names
from shared.versions.current import Note
from shared.versions.manifest import MANIFEST_FILE, ONNX_FILE, Manifest
from shared.versions.reader import ModelReader, parsed
from shared.versions.storage.base import KeyExists, Storage

_STAGING_PREFIX = ".staging-"
"""Begins the name of the folder in which earlier releases prepared a version."""

_UNFINISHED_SECONDS = 3600.0
"""How long a version may be without its manifest if another publisher may be writing it, whom no
run lock holds off."""

Removal = Callable[[str], AbstractContextManager[bool]]
"""Begins the removal of a version: inside the context nobody can choose it. The value says whether
it may be removed. Raises OSError if nobody knows."""


def unguarded(_: str) -> AbstractContextManager[bool]:
    """Begin a removal where nobody chooses a version."""
    return nullcontext(True)


class ModelStore(ModelReader):
    """The model versions in a storage, to read and to write.

    With a signing key the store publishes signed versions.
    """

    def __init__(
        self,
        storage: Storage,
        signing_key: SecretStr | None = None,
        old_signing_keys: Sequence[SecretStr] = (),
        removal: Removal = unguarded,
        is_locked: bool = True,
    ) -> None:
        """`is_locked` says whether a run lock keeps others from publishing at the same time."""
        super().__init__(storage, signing_key, old_signing_keys)
        self._removal = removal
        self._is_alone = is_locked and not storage.is_remote

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

    def replace_current(self, version: str, seen: Note | None) -> Note:
        """Note the choice in place of the note that was seen; of several callers one succeeds.

        Raises:
            KeyChanged: there is another note by now.
            OSError: the storage does not take the note.
        """
        return current.replace(self._storage, version, seen)

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
        manifest = parsed(version, content, *keys)
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

    def _remove_unfinished(self) -> None:
        """Remove what killed workers left without a manifest.

        Under the run lock only one run publishes into a folder at a time. Elsewhere others may.
        """
        quiet = 0.0 if self._is_alone else _UNFINISHED_SECONDS
        keys = self._storage.list_keys()
        folders = {folder for folder, slash, _ in (key.partition("/") for key in keys) if slash}
        # A chosen version has lost its manifest rather than never had it.
        for folder in folders - names.published(keys) - {self.current()}:
            with suppress(OSError, VersionNotFound):
                if names.is_name(folder):
                    if not quiet or names.seconds_since(folder) > quiet:
                        self.discard(folder)
                elif folder.startswith(_STAGING_PREFIX):
                    self._storage.delete(folder)
