"""What lies in a storage, left-overs included, and changes to it behind the store's back."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from shared.versions import digest
from shared.versions.manifest import MANIFEST_FILE, ONNX_FILE
from shared.versions.storage.base import Storage
from shared.versions.storage.local import LocalStorage

Damage = Callable[[Storage, str], None]
"""Damages a version of a storage."""


def contents(storage: Storage) -> list[str]:
    """Return the names at the top."""
    if isinstance(storage, LocalStorage):
        return sorted(os.listdir(storage.folder))
    return sorted({key.partition("/")[0] for key in storage.list_keys()})


def files(storage: Storage, version: str) -> list[str]:
    if isinstance(storage, LocalStorage):
        return sorted(os.listdir(storage.folder / version))
    return sorted(key.partition("/")[2] for key in storage.list_keys(version))


def put(storage: Storage, key: str, content: bytes) -> None:
    """Store a content whatever was there, as somebody with an editor does."""
    if isinstance(storage, LocalStorage):
        path = storage.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    else:
        storage.delete(key)
        storage.create(key, content)


def fail_after(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, count: int, error: BaseException
) -> None:
    """Let the storage take so many more keys and then raise the error."""
    taken = 0
    create = storage.create

    def fail(key: str, content: bytes) -> None:
        nonlocal taken
        if taken == count:
            raise error
        taken += 1
        create(key, content)

    monkeypatch.setattr(storage, "create", fail)


def edit_manifest(storage: Storage, version: str, change: Callable[[dict[str, Any]], None]) -> None:
    """With the digest made anew, so that it is the content that is wrong."""
    key = f"{version}/{MANIFEST_FILE}"
    fields = json.loads(digest.check(storage.read(key)))
    change(fields)
    put(storage, key, digest.add(json.dumps(fields).encode(), None))


# --- damages -------------------------------------------------------------------------------------


def truncate(name: str) -> Damage:
    def damage(storage: Storage, version: str) -> None:
        put(storage, f"{version}/{name}", storage.read(f"{version}/{name}")[:-1])

    return damage


def overwrite(name: str, content: bytes) -> Damage:
    return lambda storage, version: put(storage, f"{version}/{name}", content)


def remove(name: str) -> Damage:
    return lambda storage, version: storage.delete(f"{version}/{name}")


def flip_a_bit(storage: Storage, version: str) -> None:
    content = bytearray(storage.read(f"{version}/{ONNX_FILE}"))
    content[len(content) // 2] ^= 1
    put(storage, f"{version}/{ONNX_FILE}", bytes(content))


def change_all_but_the_size(storage: Storage, version: str) -> None:
    size = len(storage.read(f"{version}/{ONNX_FILE}"))
    put(storage, f"{version}/{ONNX_FILE}", b"x" * size)


def edit(change: Callable[[dict[str, Any]], None]) -> Damage:
    return lambda storage, version: edit_manifest(storage, version, change)


_EXTRA = {"name": "Deck", "kind": "category", "required": False}

DAMAGED_FILES: list[tuple[Damage, str]] = [
    (truncate(ONNX_FILE), ONNX_FILE),
    (flip_a_bit, ONNX_FILE),
    (change_all_but_the_size, ONNX_FILE),
    (overwrite(ONNX_FILE, b""), ONNX_FILE),
    (remove(ONNX_FILE), ONNX_FILE),
    (edit(lambda fields: fields["files"][ONNX_FILE].update(size=1)), ONNX_FILE),
    (edit(lambda fields: fields["files"].pop(ONNX_FILE)), ONNX_FILE),
]
MISSING_MANIFEST: tuple[Damage, str] = (remove(MANIFEST_FILE), MANIFEST_FILE)
DAMAGED_MANIFESTS: list[tuple[Damage, str]] = [
    (truncate(MANIFEST_FILE), MANIFEST_FILE),
    (overwrite(MANIFEST_FILE, b""), MANIFEST_FILE),
    (overwrite(MANIFEST_FILE, b"\xff\xfe"), MANIFEST_FILE),
    (overwrite(MANIFEST_FILE, b"[]"), MANIFEST_FILE),
]
OTHER_MANIFESTS: list[tuple[Damage, str]] = [
    (edit(lambda fields: fields.update(format=2)), MANIFEST_FILE),
    (
        edit(lambda fields: fields.update(model_version="20200101-000000-000000")),
        "20200101-000000-000000",
    ),
    (edit(lambda fields: fields["inputs"].append(_EXTRA)), "features of its schema"),
    (edit(lambda fields: fields["inputs"][0].update(maximum=150)), "features of its schema"),
    (edit(lambda fields: fields["inputs"].reverse()), "features of its schema"),
]
"""What is wrong with a version, and what the refusal names."""
