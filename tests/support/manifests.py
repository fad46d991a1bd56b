"""Manifests, and versions that are no more than one: what the store needs to know of a version."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.versions.manifest import MANIFEST_FILE, ONNX_FILE, Manifest, Parity, TrainingData
from shared.versions.reader import digests
from shared.versions.storage.base import Storage
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.titanic import SCHEMA
from tests.support.versions import JOB_ID, gate, metrics

VERSION = "20260102-030405-abcdef"


def manifest(version: str = VERSION, **changes: Any) -> Manifest:
    sound: Mapping[str, Any] = {
        "model_version": version,
        "job_id": JOB_ID,
        "created_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "files": {},
        "schema": SCHEMA,
        "metrics": metrics(),
        "gate": gate(),
        "parity": Parity(rows=1, max_difference=0, labels_differ=0, tolerance=1e-5),
        "data": TrainingData(source="test", sha256="0" * 64, rows=891, positives=342),
        "libraries": {},
        "stage_seconds": {},
    }
    return Manifest(**{**sound, **changes})


def write_manifest(place: Path | Storage, version: str, outcome: str = "promoted") -> str:
    """Store a sound manifest without a model, in a models folder or a storage; its version."""
    storage = LocalStorage(place) if isinstance(place, Path) else place
    storage.prepare()
    text = manifest(version, gate=gate(outcome)).model_dump_json()
    storage.create(f"{version}/{MANIFEST_FILE}", text.encode())
    return version


def publish_files(
    store: ModelStore, onnx: bytes, version: str = VERSION, *, create: bool = True, **changes: Any
) -> Manifest:
    """Publish a version that holds no more than an ONNX file."""
    if create:
        store.create()
    files = {ONNX_FILE: onnx}
    return store.publish(manifest(version, **{"files": digests(files), **changes}), files)
