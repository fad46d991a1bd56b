"""Real model versions for tests: the default pipeline, fitted once, published as often as asked."""

import functools
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import joblib
from pydantic import SecretStr
from sklearn.pipeline import Pipeline

from shared.versions.manifest import (
    ONNX_FILE,
    PIPELINE_FILE,
    Gate,
    Manifest,
    Metrics,
    Parity,
    Plot,
    Score,
)
from shared.versions.reader import digests
from shared.versions.storage.base import Storage
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from worker.definition.definition import Definition, read
from worker.training import export, table
from worker.training.evaluation import FOLDS
from worker.training.scoring import DEFAULT, STANDARD

EXAMPLES = Path(__file__).parents[2] / "examples"
TRAINING_DATA = str(EXAMPLES / "titanic" / "data.csv")
JOB_ID = "0" * 32
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><text>%s</text></svg>'
_OF_TWO_LABELS = [plot for plot in Plot if plot not in (Plot.PREDICTION_ERROR, Plot.RESIDUALS)]
PLOTS: dict[Plot, bytes] = {plot: SVG % plot.encode() for plot in _OF_TWO_LABELS}
"""Stand in for those that take a cross-validation to draw."""


@functools.cache
def definition(example: str = "titanic") -> Definition:
    return read(EXAMPLES / example)


@functools.cache
def training_table(example: str = "titanic") -> table.TrainingTable:
    defined = definition(example)
    return table.load(
        defined.source(None),
        defined.schema,
        folds=FOLDS,
        number=defined.target,
        frame=defined.load,
    )


@functools.cache
def fitted_pipeline(example: str = "titanic") -> Pipeline:
    loaded = training_table(example)
    return definition(example).fit(loaded.features, loaded.target)


@functools.cache
def exported_pipeline(example: str = "titanic") -> bytes:
    return export.to_onnx(fitted_pipeline(example), definition(example).schema)


def metrics(roc_auc: float = 0.87, std: float = 0.03) -> Metrics:
    score = Score(mean=roc_auc, std=std, folds=10)
    names = ("roc_auc", "accuracy", "log_loss", "brier_score")
    return dict.fromkeys(names, score)


def scores_of(example: str) -> Metrics:
    """Return a score of each metric that a version of the example's kind has."""
    score = Score(mean=0.5, std=0.03, folds=10)
    return dict.fromkeys(STANDARD[definition(example).schema.kind], score)


def gate(outcome: str = "promoted") -> Gate:
    return Gate.model_validate({"outcome": outcome, "reason": "a test", "compared_with": None})


@functools.cache
def dumped_pipeline(example: str = "titanic") -> bytes:
    dumped = io.BytesIO()
    joblib.dump(fitted_pipeline(example), dumped)
    return dumped.getvalue()


def publish(
    place: Path | Storage,
    example: str = "titanic",
    *,
    outcome: str = "promoted",
    roc_auc: float = 0.87,
    data_sha256: str = "0" * 64,
    job_id: str = JOB_ID,
    version: str | None = None,
    signing_key: SecretStr | None = None,
    plots: Mapping[Plot, bytes] = PLOTS,
) -> str:
    """Publish an example's model as a new version, in a models folder or a storage; its name."""
    store = ModelStore(LocalStorage(place) if isinstance(place, Path) else place, signing_key)
    store.create()
    files = {
        ONNX_FILE: exported_pipeline(example),
        PIPELINE_FILE: dumped_pipeline(example),
        **{plot.file: picture for plot, picture in plots.items()},
    }
    manifest = Manifest(
        model_version=version or store.new_version(),
        schema=definition(example).schema,
        job_id=job_id,
        created_at=datetime.now(UTC),
        files=digests(files),
        metrics=metrics(roc_auc) if example == "titanic" else scores_of(example),
        metric=DEFAULT[definition(example).schema.kind],
        gate=gate(outcome),
        parity=Parity(rows=1, max_difference=0, labels_differ=0, tolerance=1e-5),
        data=training_table(example).data.model_copy(
            update={"source": "test", "sha256": data_sha256}
        ),
        libraries={},
        stage_seconds={},
    )
    return store.publish(manifest, files).model_version
