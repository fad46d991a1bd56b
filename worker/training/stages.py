"""The stages of a training run and their order. Pure of Celery: runs from a test or a notebook."""

import io
import logging
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Protocol

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from shared.errors import EstimatorBroken
from shared.jobs.job import Stage
from shared.runtime import tracing
from shared.versions.manifest import ONNX_FILE, PIPELINE_FILE, Manifest, Plot
from shared.versions.store import ModelStore, digests
from worker.training import estimator, evaluation, export, plots, table
from worker.training.gate import promotion_gate
from worker.training.parity import prove_parity
from worker.training.served import Look
from worker.training.source import MOST_BYTES, TIMEOUT_SECONDS

_STARTS_AT = {
    Stage.LOAD: 0.0,
    Stage.FIT: 0.05,
    Stage.EVALUATE: 0.15,
    Stage.PLOT: 0.84,
    Stage.EXPORT: 0.86,
    Stage.VERIFY: 0.88,
    Stage.PUBLISH: 0.97,
}
"""Share of the whole run that is done when a stage begins: one fit, then a fit per fold."""

_LOOK_SECONDS = 1.0

_LIBRARIES = (
    *("scikit-learn", "skl2onnx", "onnx", "onnxruntime", "numpy", "pandas", "joblib"),
    "matplotlib",
)

log = logging.getLogger(__name__)


class Attempt(Protocol):
    """What the stages ask of the attempt that they belong to; `worker.attempt` has a job's."""

    job_id: str

    def report(self, stage: Stage, progress: float) -> None:
        """Note the progress (0 to 1) of the whole run. Raises RunStopped to end the run here."""

    def choose_version(self, proposed: str) -> str:
        """Return the name to publish under: that of an earlier attempt, or else `proposed`."""

    def is_forced(self) -> bool:
        """Return whether the candidate is to be promoted whatever the gate says."""


def run_stages(
    attempt: Attempt,
    *,
    training_data: str,
    model_store: ModelStore,
    served: Look,
    promotion_tolerance: float,
    most_bytes: int = MOST_BYTES,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Manifest:
    """Train a candidate and publish it; whether it is served is the caller's step.

    Raises:
        TrainingFailed: the data is unusable, or the export does not answer as the pipeline does.
        VersionNotServable: what was written does not read back.
        OSError: the storage does not take the version.
        RunStopped: from `attempt`, between stages, folds, and blocks of the parity proof.
    """
    seconds: dict[str, float] = {}

    @contextmanager
    def stage(name: Stage) -> Iterator[None]:
        attempt.report(name, _STARTS_AT[name])
        log.info("stage %s", name)
        started = time.monotonic()
        with tracing.span(name):
            yield
        seconds[name] = round(time.monotonic() - started, 3)

    def at_times(name: Stage) -> Callable[[], None]:
        """Return a function that looks once a second whether the run is to end in this stage."""
        looked = time.monotonic()

        def look() -> None:
            nonlocal looked
            if time.monotonic() > looked + _LOOK_SECONDS:
                looked = time.monotonic()
                attempt.report(name, _STARTS_AT[name])

        return look

    def within(name: Stage, before: Stage) -> Callable[[float], None]:
        """Return a function that notes which share of a stage is done."""
        start, end = _STARTS_AT[name], _STARTS_AT[before]
        noted = 0.0

        def note(share: float) -> None:
            nonlocal noted
            if share > noted:
                noted = share
                attempt.report(name, start + share * (end - start))

        return note

    with stage(Stage.LOAD):
        loaded = table.load(
            training_data,
            least_per_label=evaluation.FOLDS,
            most_bytes=most_bytes,
            timeout_seconds=timeout_seconds,
            checkpoint=at_times(Stage.LOAD),
        )
    with stage(Stage.FIT):
        pipeline = _fitted(loaded.features, loaded.labels)
    with stage(Stage.EVALUATE):
        evaluated = evaluation.cross_validate(
            loaded.features, loaded.labels, within(Stage.EVALUATE, Stage.PLOT)
        )
    with stage(Stage.PLOT):
        drawn = plots.draw(evaluated)
    with stage(Stage.EXPORT):
        exported = export.to_onnx(pipeline)
    with stage(Stage.VERIFY):
        parity = prove_parity(
            pipeline, exported, loaded.features, within(Stage.VERIFY, Stage.PUBLISH)
        )
    with stage(Stage.PUBLISH):
        # First, because it is fenced: a worker that lost the run must not remove what the worker
        # that has it now is publishing.
        model_version = attempt.choose_version(model_store.new_version())
        files = _files(exported, pipeline, drawn)
        gate = promotion_gate(
            evaluated.metrics,
            loaded.data,
            served(),
            tolerance=promotion_tolerance,
            forced=attempt.is_forced(),
        )
        manifest = Manifest(
            model_version=model_version,
            job_id=attempt.job_id,
            created_at=datetime.now(UTC),
            files=digests(files),
            metrics=evaluated.metrics,
            gate=gate,
            parity=parity,
            data=loaded.data,
            libraries=_library_versions(),
            stage_seconds=seconds,
        )
        published = model_store.publish(manifest, files)
    log.info(
        "%s: %s",
        published.gate.outcome,
        published.gate.reason,
        extra={"model_version": published.model_version},
    )
    return published


def _fitted(features: pd.DataFrame, labels: NDArray[np.int64]) -> Pipeline:
    """Return what the estimator fits. Raises EstimatorBroken if it cannot be published."""
    try:
        pipeline: object = estimator.fit(features, labels)
    except OSError as error:
        # The caller takes one for an error of the storage.
        raise EstimatorBroken(
            f"the estimator's fit raised {type(error).__name__}: {error}"
        ) from error
    found = type(pipeline).__name__
    if hasattr(pipeline, "best_estimator_"):
        raise EstimatorBroken(
            f"the estimator's fit: expected a fitted Pipeline of scikit-learn, got {found}; return "
            "its best_estimator_, fitted from a Pipeline"
        )
    if not isinstance(pipeline, Pipeline):
        raise EstimatorBroken(
            f"the estimator's fit: expected a fitted Pipeline of scikit-learn, got {found}; return "
            "Pipeline([...]).fit(features, labels)"
        )
    if not hasattr(pipeline, "predict_proba"):
        raise EstimatorBroken(
            "the estimator's fit: expected a Pipeline that ends in a classifier with "
            f"predict_proba, got one that ends in {type(pipeline.steps[-1][1]).__name__}"
        )
    return pipeline


def _files(exported: bytes, pipeline: Pipeline, drawn: Mapping[Plot, bytes]) -> dict[str, bytes]:
    """Return the files of a version, by name."""
    dumped = io.BytesIO()
    joblib.dump(pipeline, dumped)
    pictures = {plot.file: picture for plot, picture in drawn.items()}
    return {ONNX_FILE: exported, PIPELINE_FILE: dumped.getvalue(), **pictures}


def _library_versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in _LIBRARIES}
