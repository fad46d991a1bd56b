"""What the store of versions asks of the place where the bytes lie."""

from typing import NamedTuple, Protocol


class StorageError(OSError):
    """Base of the errors that every storage raises; those of a disk are OSError too."""


class KeyNotFound(StorageError):
    """Raised when nothing is stored under a key."""


class KeyExists(StorageError):
    """Raised when a key that is to be created is there already."""


class KeyChanged(StorageError):
    """Raised when the content under a key is not what the caller expects to replace."""


class StorageUnreachable(StorageError):
    """Raised when a storage across a network does not answer, not in time, or refuses to.

    Nobody knows then what is there.
    """


class Content(NamedTuple):
    """What lies under a key, and a tag that tells it from what lay there before."""

    content: bytes
    tag: str


def most_bytes(key: str) -> int:
    """Return how large a file may be that is read.

    Manifests and `current.json` have some KB, plots up to some hundred. Protobuf ends at 2 GiB, and
    the containers' memory before.
    """
    match key.rpartition(".")[2]:
        case "json":
            return 1024**2
        case "svg":
            return 32 * 1024**2
        case _:
            return 1024**3


def parts_of(key: str) -> list[str]:
    """Return the parts of a key. Raises ValueError if it is not a name, or a folder and a name."""
    parts = key.split("/")
    if len(parts) > 2 or any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise ValueError(f"expected a name or a folder and a name as the key, got {key[:80]!r}")
    return parts


class Storage(Protocol):
    """Keys and their contents, as a folder of a disk and a bucket both have them.

    A key is a name ("current.json") or a folder and a name ("20261123-201455-7f3a9c/model.onnx").
    There is no rename, because buckets have none. A reader sees the old content or the new one,
    whole. Every method raises OSError if the storage is gone or does not take what it is given.
    """

    is_remote: bool
    """Whether each call crosses a network, so that its callers must not wait for it."""

    def prepare(self) -> None:
        """Make the storage, if there is none yet."""

    def read(self, key: str) -> bytes:
        """Return the content. Raises KeyNotFound."""

    def read_if_changed(self, key: str, tag: str | None) -> Content | None:
        """Return the content and its tag, or None if the tag is still `tag`. Raises KeyNotFound."""

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
