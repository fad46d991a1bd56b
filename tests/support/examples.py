"""Versions of the other examples, as `tests/support/versions.py` has them of the Titanic."""

from pathlib import Path

from shared.versions.manifest import ONNX_FILE, Score, TrainingData
from shared.versions.reader import digests
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.manifests import manifest
from tests.support.versions import definition, exported_pipeline


def publish_example(place: Path, example: str) -> str:
    """Publish an example's model as a new version; its name."""
    store = ModelStore(LocalStorage(place))
    store.create()
    files = {ONNX_FILE: exported_pipeline(example)}
    score = Score(mean=0.9, std=0.01, folds=10)
    metric = {"penguins": "balanced_accuracy", "diabetes": "r2"}[example]
    made = manifest(
        store.new_version(),
        schema=definition(example).schema,
        files=digests(files),
        metrics={metric: score},
        metric=metric,
        data=TrainingData(source="test", sha256="0" * 64, rows=100),
    )
    return store.publish(made, files).model_version
