"""Manifests, and versions that are no more than one: what the store needs to know of a version."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.versions.manifest import MANIFEST_FILE, Manifest, Parity, TrainingData
from tests.support.versions import JOB_ID, gate, metrics

VERSION = "20260102-030405-abcdef"


def manifest(version: str = VERSION, **changes: Any) -> Manifest:
    sound: Mapping[str, Any] = {
        "model_version": version,
        "job_id": JOB_ID,
        "created_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "files": {},
        "metrics": metrics(),
        "gate": gate(),
        "parity": Parity(rows=1, max_difference=0, labels_differ=0, tolerance=1e-5),
        "data": TrainingData(source="test", sha256="0" * 64, rows=891, positives=342),
        "libraries": {},
        "stage_seconds": {},
    }
    return Manifest(**{**sound, **changes})


def write_manifest(models_dir: Path, version: str, outcome: str = "promoted") -> str:
    """A version with a sound manifest and no model; its name."""
    folder = models_dir / version
    folder.mkdir(parents=True)
    text = manifest(version, gate=gate(outcome)).model_dump_json()
    (folder / MANIFEST_FILE).write_text(text)
    return version
