"""A bucket of Amazon S3, Google Cloud Storage or Azure Blob Storage as the storage."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared.versions.storage.base import (
    Content,
    KeyChanged,
    KeyExists,
    KeyNotFound,
    StorageError,
    StorageUnreachable,
    most_bytes,
    parts_of,
)

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_QUICK = (".json", ".svg")
"""How the names of files end that are small, and that somebody waits for."""

_KEYS_AT_ONCE = 1000
_MOST_KEYS = 100_000
_REFUSED = re.compile(r"AccessDenied|AuthorizationPermissionMismatch|status: 40[13]\b")
_NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|The specified bucket does not exist")
_STATUS = re.compile(r"status: ([1-5][0-9]{2})")

log = logging.getLogger(__name__)


class BucketStorage:
    """The keys below a prefix of a bucket.

    A key is created, or replaced, by a conditional request: of several callers at once, one
    succeeds. If the answer to such a request is lost, what is stored is read back and compared, so
    that a caller never takes its own write for somebody else's.
    """

    is_remote = True

    def __init__(self, name: str, quick: "ObjectStore", patient: "ObjectStore") -> None:
        """`quick` is a client whose calls end soon, and `patient` one that may carry a model."""
        self._name = name
        self._quick = quick
        self._patient = patient

    def prepare(self) -> None:
        """Do nothing: whoever owns the bucket makes it, with its access policies."""

    def read(self, key: str) -> bytes:
        with self._errors(key):
            return self._get(key).content

    def read_if_changed(self, key: str, tag: str | None) -> Content | None:
        import obstore

        with self._errors(key):
            try:
                return self._get(key, tag)
            except obstore.exceptions.NotModifiedError:
                return None

    def list_keys(self, folder: str = "") -> list[str]:
        import obstore

        if folder:
            parts_of(folder)
        keys: list[str] = []
        with self._errors(folder or "the bucket"):
            pages = obstore.list(self._quick, folder or None, chunk_size=_KEYS_AT_ONCE)
            for page in pages:
                keys += [found["path"] for found in page]
                if len(keys) > _MOST_KEYS:
                    # A part of them would make whole versions look unfinished.
                    raise StorageError(
                        f"expected at most {_MOST_KEYS:,} keys below {self._name}, found more; "
                        "keep what is not Lifeboat's elsewhere"
                    )
        # What others have put below the prefix in folders of folders is not ours.
        return sorted(key for key in keys if key.count("/") <= 1 and key != folder)

    def create(self, key: str, content: bytes) -> None:
        self._put(key, content, "create")

    def replace(self, key: str, content: bytes, expected: bytes | None) -> None:
        try:
            if expected is None:
                self._put(key, content, "create")
                return
            with self._errors(key):
                found, mode = self._look(key)
            if found != expected:
                raise _changed(key)
            self._put(key, content, mode)
        except (KeyExists, KeyNotFound) as error:
            raise _changed(key) from error

    def free_bytes(self) -> None:
        """Return None: a bucket has no end."""

    def delete(self, key: str) -> None:
        import obstore

        parts_of(key)
        with self._errors(key):
            # A key that is missing is an error of some stores and not of others.
            for path in self.list_keys(key) or [key]:
                try:
                    obstore.delete(self._client(path), path)
                except (obstore.exceptions.NotFoundError, FileNotFoundError):
                    continue

    def _client(self, key: str) -> "ObjectStore":
        return self._quick if key.endswith(_QUICK) else self._patient

    def _get(self, key: str, tag: str | None = None) -> Content:
        import obstore

        parts_of(key)
        result = obstore.get(
            self._client(key), key, options=None if tag is None else {"if_none_match": tag}
        )
        return Content(_bounded(result, key), result.meta["e_tag"] or "")

    def _look(self, key: str) -> tuple[bytes, Any]:
        """Return the content, and the condition that it is still that."""
        import obstore

        parts_of(key)
        result = obstore.get(self._client(key), key)
        tags = {"e_tag": result.meta["e_tag"], "version": result.meta["version"]}
        # obstore takes no None. Google compares the version, and the others the tag.
        return _bounded(result, key), {name: tag for name, tag in tags.items() if tag is not None}

    def _put(self, key: str, content: bytes, mode: Any) -> None:
        parts_of(key)
        try:
            self._send(key, content, mode)
        except (KeyExists, KeyChanged):
            raise
        except StorageError:
            if not self._has(key, content):
                raise

    def _send(self, key: str, content: bytes, mode: Any) -> None:
        import obstore

        with self._errors(key):
            obstore.put(self._client(key), key, content, mode=mode, use_multipart=False)

    def _has(self, key: str, content: bytes) -> bool:
        try:
            return self.read(key) == content
        except OSError:
            return False

    def _refused(self) -> StorageUnreachable:
        return StorageUnreachable(
            f"{self._name} refuses it: the role or the key of this process may not, or is not "
            "known there"
        )

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        """Raise obstore's errors as those of a storage, in short words."""
        from obstore import exceptions

        try:
            yield
        except exceptions.NotModifiedError:
            raise
        except (exceptions.NotFoundError, FileNotFoundError) as error:
            if _NO_BUCKET.search(str(error)):
                raise StorageUnreachable(f"{self._name}: there is no such bucket") from error
            raise KeyNotFound(f"{key} is not in {self._name}") from error
        except exceptions.AlreadyExistsError as error:
            raise KeyExists(f"{key} exists already") from error
        except exceptions.PreconditionError as error:
            raise _changed(key) from error
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise self._refused() from error
        except exceptions.BaseError as error:
            if _REFUSED.search(str(error)):
                # As a delete is reported.
                raise self._refused() from error
            log.debug("%s: %s", key, error)
            raise StorageUnreachable(f"{self._name} does not answer{_how(error)}") from error


def _bounded(result: Any, key: str) -> bytes:
    size = result.meta["size"]
    most = most_bytes(key)
    if size > most:
        raise StorageError(f"it has more than the {most:,} bytes that are read")
    return bytes(result.bytes())


def _how(error: Exception) -> str:
    """Return what is known of a failure, without the address, which clients have no use for."""
    said = str(error)
    if "TimedOut" in said or "timed out" in said:
        return " in time"
    status = _STATUS.search(said)
    return f" as expected: it said {status[1]}" if status else ""


def _changed(key: str) -> KeyChanged:
    return KeyChanged(f"{key} was changed meanwhile; try again")
