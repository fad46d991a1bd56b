"""A storage in memory: what a bucket has, without folders, files or a disk that can be full."""

import hashlib
import threading

from shared.versions.storage.base import Content, KeyChanged, KeyExists, KeyNotFound


class MemoryStorage:
    is_remote = False

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def prepare(self) -> None:
        pass

    def read(self, key: str) -> bytes:
        try:
            return self.contents[key]
        except KeyError:
            raise KeyNotFound(key) from None

    def read_if_changed(self, key: str, tag: str | None) -> Content | None:
        content = self.read(key)
        found = hashlib.sha256(content).hexdigest()
        return None if found == tag else Content(content, found)

    def list_keys(self, folder: str = "") -> list[str]:
        with self._lock:
            return sorted(key for key in self.contents if not folder or _is_in(folder, key))

    def create(self, key: str, content: bytes) -> None:
        with self._lock:
            if key in self.contents:
                raise KeyExists(key)
            self.contents[key] = content

    def replace(self, key: str, content: bytes, expected: bytes | None) -> None:
        with self._lock:
            if self.contents.get(key) != expected:
                raise KeyChanged(key)
            self.contents[key] = content

    def free_bytes(self) -> int | None:
        return None

    def delete(self, key: str) -> None:
        with self._lock:
            for found in [found for found in self.contents if found == key or _is_in(key, found)]:
                del self.contents[found]


def _is_in(folder: str, key: str) -> bool:
    return key.startswith(f"{folder}/")
