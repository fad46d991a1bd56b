"""The order of the stages of a training run. Pure of Celery: runs from a test or a notebook."""

import logging
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Protocol

import joblib

from shared.errors import LifeboatError
from shared.jobs.job import Stage
from shared.runtime import tracing
from shared.versions.manifest import ONNX_FILE, PIPELINE_FILE, Manifest
from shared.versions.store import ModelStore, digests
from worker.training import estimator, evaluation, export, plots, table
from worker.training.parity import prove_parity

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

_LIBRARIES = (
    *("scikit-learn", "skl2onnx", "onnx", "onnxruntime", "numpy", "pandas", "joblib"),
    "matplotlib",
)

log = logging.getLogger(__name__)


class Run(Protocol):
    """What the pipeline asks of whoever runs it; `worker.attempt` has one with a job behind it."""

    job_id: str

    def report(self, stage: Stage, progress: float) -> None:
        """Notes the progress (0 to 1) of the whole run; raises RunStopped to end it here."""

    def choose_version(self, proposed: str) -> str:
        """The name to publish under: the one an earlier attempt chose, else `proposed`."""

    def is_forced(self) -> bool:
        """Whether the candidate is to be promoted whatever the gate says."""


def run_pipeline(
    run: Run,
    *,
    training_data: str,
    model_store: ModelStore,
    served_version: Callable[[], str | None],
    promotion_tolerance: float,
) -> Manifest:
    """Trains a candidate and publishes it on the volume; whether it is served is the caller's step.

    Raises:
        TrainingFailed: the data is unusable, or the export does not answer as the pipeline does.
        VersionNotServable: what was written does not read back.
        OSError: the volume does not take the version.
        RunStopped: from `run`, between stages, folds, and blocks of the parity proof.
    """
    seconds: dict[str, float] = {}

    @contextmanager
    def stage(name: Stage) -> Iterator[None]:
        run.report(name, _STARTS_AT[name])
        log.info("stage %s", name)
        started = time.monotonic()
        with tracing.span(name):
            yield
        seconds[name] = round(time.monotonic() - started, 3)

    def within(name: Stage, before: Stage) -> Callable[[float], None]:
        """Notes what share of a stage is done."""
        start, end = _STARTS_AT[name], _STARTS_AT[before]
        noted = 0.0

        def note(share: float) -> None:
            nonlocal noted
            if share > noted:
                noted = share
                run.report(name, start + share * (end - start))

        return note

    with stage(Stage.LOAD):
        loaded = table.load(training_data, least_per_label=evaluation.FOLDS)
    with stage(Stage.FIT):
        pipeline = estimator.fit(loaded.features, loaded.labels)
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
        # First, because it is fenced: a worker that lost the run must not clear the staging folder
        # of the one that has it.
        model_version = run.choose_version(model_store.new_version())
        with model_store.staging() as staging:
            (staging / ONNX_FILE).write_bytes(exported)
            joblib.dump(pipeline, staging / PIPELINE_FILE)
            for plot, picture in drawn.items():
                (staging / plot.file).write_bytes(picture)
            gate = evaluation.promotion_gate(
                evaluated.metrics,
                loaded.data,
                _served(model_store, served_version()),
                tolerance=promotion_tolerance,
                forced=run.is_forced(),
            )
            published = model_store.publish(
                staging,
                Manifest(
                    model_version=model_version,
                    job_id=run.job_id,
                    created_at=datetime.now(UTC),
                    files=digests(staging),
                    metrics=evaluated.metrics,
                    gate=gate,
                    parity=parity,
                    data=loaded.data,
                    libraries=_library_versions(),
                    stage_seconds=seconds,
                ),
            )
    log.info(
        "%s: %s",
        published.gate.outcome,
        published.gate.reason,
        extra={"model_version": published.model_version},
    )
    return published


def _served(model_store: ModelStore, version: str | None) -> Manifest | None:
    """What the gate compares with; nothing where that is damaged, or made for other features."""
    if version is None:
        return None
    try:
        manifest = model_store.manifest(version)
    except LifeboatError as error:
        log.warning("the gate has nothing to compare with: %s", error)
        return None
    return manifest if manifest.fits_this_schema else None


def _library_versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in _LIBRARIES}
