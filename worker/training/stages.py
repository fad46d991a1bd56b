"""The stages of a training run and their order. Pure of Celery: runs from a test or a notebook."""

import io
import logging
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Protocol

import joblib
import numpy as np
from numpy.typing import NDArray

from shared.errors import DefinitionBroken
from shared.jobs.job import Stage
from shared.runtime import tracing
from shared.schema.schema import Kind, Schema
from shared.versions.manifest import ONNX_FILE, PIPELINE_FILE, Manifest, Plot
from shared.versions.reader import digests
from shared.versions.store import ModelStore
from worker.definition.definition import Definition
from worker.training import evaluation, export, scoring, table, target
from worker.training.gate import Candidate, promotion_gate
from worker.training.parity import prove_parity
from worker.training.plots.drawing import draw
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
    definition: Definition,
    training_data: str | None,
    model_store: ModelStore,
    served: Look,
    promotion_tolerance: float,
    most_bytes: int = MOST_BYTES,
    timeout_seconds: float = TIMEOUT_SECONDS,
    endpoint: str | None = None,
) -> Manifest:
    """Train a candidate and publish it; whether it is served is the caller's step.

    `training_data` is where the table is, if not where the definition says, and `endpoint` the
    server of its bucket, if not the cloud's own.

    Raises:
        TrainingFailed: the definition or the data is unusable, or the export does not answer as the
            fitted model does.
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

    schema = definition.schema
    with stage(Stage.LOAD):
        # Before the table, which may take minutes.
        scoring.metrics_of(schema, definition.metric)
        loaded = table.load(
            definition.source(training_data),
            schema,
            folds=evaluation.FOLDS,
            number=definition.target,
            frame=definition.load,
            most_bytes=most_bytes,
            timeout_seconds=timeout_seconds,
            checkpoint=at_times(Stage.LOAD),
            endpoint=endpoint,
        )
    with stage(Stage.FIT):
        fitted = _fitted(definition, loaded)
    with stage(Stage.EVALUATE):
        evaluated = evaluation.cross_validate(
            loaded.features,
            loaded.target,
            schema,
            definition.fit,
            within(Stage.EVALUATE, Stage.PLOT),
            definition.metric,
        )
    with stage(Stage.PLOT):
        drawn = draw(evaluated)
    with stage(Stage.EXPORT):
        exported = export.to_onnx(fitted, schema)
    with stage(Stage.VERIFY):
        parity = prove_parity(
            fitted,
            exported,
            schema,
            loaded.features,
            _spread(schema, loaded.target),
            within(Stage.VERIFY, Stage.PUBLISH),
        )
    with stage(Stage.PUBLISH):
        # First, because it is fenced: a worker that lost the run must not remove what the worker
        # that has it now is publishing.
        model_version = attempt.choose_version(model_store.new_version())
        files = _files(exported, fitted, drawn)
        gate = promotion_gate(
            Candidate(schema, evaluated.metrics, evaluated.metric, loaded.data),
            served(),
            tolerance=promotion_tolerance,
            forced=attempt.is_forced(),
        )
        manifest = Manifest(
            model_version=model_version,
            job_id=attempt.job_id,
            created_at=datetime.now(UTC),
            files=digests(files),
            schema=schema,
            metrics=evaluated.metrics,
            metric=evaluated.metric.name,
            higher_is_better=evaluated.metric.higher_is_better,
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


def _fitted(definition: Definition, loaded: table.TrainingTable) -> Any:
    """Return what the definition fits. Raises DefinitionBroken if it cannot be published."""
    fitted = definition.fit(loaded.features, loaded.target)
    if definition.schema.kind is Kind.REGRESSION:
        return fitted
    classes = np.asarray(getattr(fitted, "classes_", ())).tolist()
    # XGBoost numbers booleans; `True == 1`.
    if classes != [*definition.schema.classes]:
        raise DefinitionBroken(
            f"{definition.folder}: expected a classifier whose classes_ are "
            f"{target.listed(definition.schema.classes)}, as the record declares them and y has "
            f"them; found {classes[:10]}; fit it to y as it is"
        )
    return fitted


def _spread(schema: Schema, values: NDArray[Any]) -> float | None:
    """Return the standard deviation of a regression's target."""
    return float(np.std(values)) if schema.kind is Kind.REGRESSION else None


def _files(exported: bytes, fitted: Any, drawn: Mapping[Plot, bytes]) -> dict[str, bytes]:
    """Return the files of a version, by name."""
    dumped = io.BytesIO()
    joblib.dump(fitted, dumped)
    pictures = {plot.file: picture for plot, picture in drawn.items()}
    return {ONNX_FILE: exported, PIPELINE_FILE: dumped.getvalue(), **pictures}


def _library_versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in _LIBRARIES}
