"""What the store of versions asks of the place where the bytes lie."""

from typing import Protocol


class StorageError(OSError):
    """Base of the errors that every storage raises; those of a disk are OSError too."""


class KeyNotFound(StorageError):
    """Raised when nothing is stored under a key."""


class KeyExists(StorageError):
    """Raised when a key that is to be created is there already."""


class KeyChanged(StorageError):
    """Raised when the content under a key is not what the caller expects to replace."""


class Storage(Protocol):
    """Keys and their contents, as a folder of a disk and a bucket both have them.

    A key is a name ("current.json") or a folder and a name ("20261123-201455-7f3a9c/model.onnx").
    There is no rename, because buckets have none. A reader sees the old content or the new one,
    whole. Every method raises OSError if the storage is gone or does not take what it is given.
    """

    def prepare(self) -> None:
        """Make the storage, if there is none yet."""

    def read(self, key: str) -> bytes:
        """Return the content. Raises KeyNotFound."""

    def list_keys(self, folder: str = "") -> list[str]:
        """Return the keys in `folder`, or all of them, sorted.

        A folder that a killed writer left empty is listed as "20261123-201455-7f3a9c/".
        """

    def create(self, key: str, content: bytes) -> None:
        """Store a new key; of several callers at once, one succeeds. Raises KeyExists."""

    def replace(self, key: str, content: bytes, expected: bytes | None) -> None:
        """Store `content` if the key has the content `expected`; None stands for no key.

        Of several callers with the same expectation, one succeeds. Raises KeyChanged.
        """

    def free_bytes(self) -> int | None:
        """Return how many bytes there is room for; None if the place has no end, as a bucket."""

    def delete(self, key: str) -> None:
        """Delete a key, or a folder with all its keys. What is missing is deleted already."""
