import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from shared.errors import (
    BadTrainingData,
    DefinitionBroken,
    ParityBroken,
    RunCancelled,
    RunLost,
    RunStopped,
)
from shared.jobs.job import Stage
from shared.schema.columns import columns_of
from shared.schema.decoder import Decoder
from shared.schema.schema import Kind
from shared.versions.manifest import ONNX_FILE, PIPELINE_FILE, Manifest, Plot
from shared.versions.onnx_model import Answer
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.fits import (
    cached_importance,
    cached_picture,
    cross_validation,
    quick_definition,
)
from tests.support.records import columns
from tests.support.titanic import EXAMPLES
from tests.support.versions import (
    JOB_ID,
    TRAINING_DATA,
    definition,
    exported_pipeline,
    fitted_pipeline,
    publish,
    training_table,
)
from worker.definition.definition import Definition, read
from worker.training import export
from worker.training.plots import drawing
from worker.training.served import Served, look
from worker.training.stages import run_stages

SERVED_SCORE_OUT_OF_REACH = 0.99
BINARY_PLOTS = [*drawing.PLOTS[Kind.BINARY]]


@dataclass
class ScriptedRun:
    """A run without a job: notes what is reported, and stops at the report it is told to."""

    forced: bool = False
    version: str | None = None
    stop_at: int | None = None
    reason: type[RunStopped] = RunCancelled
    job_id: str = JOB_ID
    reports: list[tuple[Stage, float]] = field(default_factory=list)

    def report(self, stage: Stage, progress: float) -> None:
        if len(self.reports) == self.stop_at:
            raise self.reason(self.job_id)
        self.reports.append((stage, progress))

    def choose_version(self, proposed: str) -> str:
        return self.version or proposed

    def is_forced(self) -> bool:
        return self.forced


@pytest.fixture(autouse=True)
def a_volume(model_store: ModelStore) -> None:
    model_store.create()


@pytest.fixture(autouse=True)
def quick_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run on the default table fits, shuffles and draws nothing anew."""
    # The real ones are made before anything stands in for them.
    fitted_pipeline()
    cross_validation()
    monkeypatch.setattr("worker.training.evaluation.permutation_importance", cached_importance)
    monkeypatch.setattr("worker.training.plots.card.svg", cached_picture)


def run(
    models_dir: Path,
    scripted: ScriptedRun,
    *,
    defined: Definition | None = None,
    training_data: str | None = None,
    served: str | None = None,
    tolerance: float = 0.01,
) -> Manifest:
    return run_stages(
        scripted,
        definition=defined or quick_definition(),
        training_data=training_data,
        model_store=ModelStore(LocalStorage(models_dir)),
        served=lambda: look(ModelStore(LocalStorage(models_dir)), served),
        promotion_tolerance=tolerance,
    )


def codes_of(answer: Answer) -> list[int]:
    assert answer.codes is not None
    return list(answer.codes.tolist())


def versions(models_dir: Path) -> list[str]:
    """All that is on the volume, left-overs included."""
    return sorted(path.name for path in models_dir.glob("*")) if models_dir.exists() else []


# --- a run that loads ----------------------------------------------------------------------------


def test_a_run_is_cancelled_while_nothing_comes_out_of_a_pipe(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.training.stages._LOOK_SECONDS", 0.0)
    os.mkfifo(tmp_path / "pipe")
    scripted = ScriptedRun(stop_at=3)
    with pytest.raises(RunCancelled):
        run(models_dir, scripted, training_data=str(tmp_path / "pipe"))
    assert {stage for stage, _ in scripted.reports} == {Stage.LOAD}


# --- a run that fits -----------------------------------------------------------------------------


def test_a_classifier_of_other_labels_than_the_record_declares_is_refused(models_dir: Path) -> None:
    def fit(features: pd.DataFrame, target: NDArray[Any]) -> LogisticRegression:
        return LogisticRegression().fit(features[["Fare"]], target + 1)

    with pytest.raises(DefinitionBroken, match=r"classes_ are 0 or 1.*found \[1, 2\]; fit it to y"):
        run(models_dir, ScriptedRun(), defined=replace(definition(), fit=fit))
    assert versions(models_dir) == []


def test_a_metric_that_does_not_suit_ends_the_run_before_the_table_is_read(
    models_dir: Path,
) -> None:
    with pytest.raises(DefinitionBroken, match="METRIC"):
        run(
            *(models_dir, ScriptedRun()),
            defined=replace(definition(), metric="neg_mean_absolute_error"),
            training_data="no-such-table.csv",
        )


# --- a run that succeeds -------------------------------------------------------------------------


def test_the_first_run_publishes_a_promoted_version_that_answers_the_original_client(
    models_dir: Path,
) -> None:
    published = run(models_dir, ScriptedRun())
    assert versions(models_dir) == [published.model_version]
    manifest, model = ModelStore(LocalStorage(models_dir)).load(published.model_version)
    assert manifest == published
    assert codes_of(model.predict(columns(EXAMPLES))) == [0, 1]
    assert (published.gate.outcome, published.gate.compared_with) == ("promoted", None)


def test_the_manifest_tells_where_a_version_is_from_and_how_good_it_is(models_dir: Path) -> None:
    published = run(models_dir, ScriptedRun())
    assert published.job_id == JOB_ID
    assert published.metrics == cross_validation().evaluation.metrics
    assert published.data == training_table().data
    assert set(published.files) == {ONNX_FILE, PIPELINE_FILE, *(plot.file for plot in BINARY_PLOTS)}
    assert published.parity.rows > published.data.rows
    assert published.libraries["scikit-learn"].startswith("1.8.")
    assert {"python", "onnxruntime", "skl2onnx"} <= set(published.libraries)
    assert list(published.stage_seconds) == ["load", "fit", "evaluate", "plot", "export", "verify"]
    assert all(seconds >= 0 for seconds in published.stage_seconds.values())


def test_the_pipeline_beside_the_model_is_the_one_that_was_exported(models_dir: Path) -> None:
    version = models_dir / run(models_dir, ScriptedRun()).model_version
    fitted = joblib.load(version / PIPELINE_FILE)
    rows = pd.DataFrame({name: column[:, 0] for name, column in columns(EXAMPLES).items()})
    _, model = ModelStore(LocalStorage(models_dir)).load(version.name)
    served = model.predict(columns(EXAMPLES)).probabilities
    assert fitted.predict_proba(rows) == pytest.approx(served, abs=1e-5)


def test_the_plots_are_those_of_its_cross_validation(models_dir: Path) -> None:
    version = run(models_dir, ScriptedRun()).model_version
    for plot, picture in drawing.draw(cross_validation().evaluation).items():
        assert ModelStore(LocalStorage(models_dir)).plot(version, plot) == picture


def test_a_plot_that_cannot_be_drawn_is_missing_and_no_more(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {plot: drawing.PLOTS[Kind.BINARY][plot] for plot in BINARY_PLOTS[1:]}
    monkeypatch.setattr(drawing, "PLOTS", {Kind.BINARY: others})
    published = run(models_dir, ScriptedRun())
    assert published.plots == BINARY_PLOTS[1:]
    assert ModelStore(LocalStorage(models_dir)).load(published.model_version)[0] == published


def test_the_stages_come_in_order_and_progress_rises_within_the_long_ones(models_dir: Path) -> None:
    scripted = ScriptedRun()
    run(models_dir, scripted)
    assert list(dict.fromkeys(stage for stage, _ in scripted.reports)) == list(Stage)
    progress = [share for _, share in scripted.reports]
    assert progress[0] == 0 and progress[-1] < 1
    assert progress == sorted(progress)
    evaluating = {share for stage, share in scripted.reports if stage is Stage.EVALUATE}
    assert len(evaluating) == 10
    # At its beginning, and between the rows of the table and those beside the thresholds.
    verifying = {share for stage, share in scripted.reports if stage is Stage.VERIFY}
    assert len(verifying) == 2
    others = [s for stage, s in scripted.reports if stage not in (Stage.EVALUATE, Stage.VERIFY)]
    assert len(others) == len(set(others)) == 5


def test_the_version_takes_the_name_that_an_earlier_attempt_chose(models_dir: Path) -> None:
    name = "20260102-030405-abcdef"
    assert run(models_dir, ScriptedRun(version=name)).model_version == name
    assert versions(models_dir) == [name]


def test_what_an_earlier_attempt_published_is_the_result(models_dir: Path) -> None:
    first = run(models_dir, ScriptedRun())
    again = run(models_dir, ScriptedRun(version=first.model_version))
    assert again == first
    assert versions(models_dir) == [first.model_version]


def test_a_later_run_has_a_later_name(models_dir: Path) -> None:
    first = run(models_dir, ScriptedRun())
    second = run(models_dir, ScriptedRun(), served=first.model_version)
    assert second.model_version > first.model_version
    assert versions(models_dir) == [first.model_version, second.model_version]


# --- the gate ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("served_score", "tolerance", "forced", "outcome"),
    [
        (0.5, 0.01, False, "promoted"),
        (SERVED_SCORE_OUT_OF_REACH, 0.01, False, "rejected"),
        (SERVED_SCORE_OUT_OF_REACH, 0.5, False, "promoted"),
        (SERVED_SCORE_OUT_OF_REACH, 0.01, True, "promoted"),
    ],
)
def test_a_candidate_is_compared_with_the_served_version_and_stored_either_way(
    models_dir: Path, served_score: float, tolerance: float, forced: bool, outcome: str
) -> None:
    served = publish(models_dir, roc_auc=served_score)
    published = run(models_dir, ScriptedRun(forced=forced), served=served, tolerance=tolerance)
    assert (published.gate.outcome, published.gate.compared_with) == (outcome, served)
    assert f"{served_score:.4f}" in published.gate.reason
    assert "different data" in published.gate.reason
    stored = ModelStore(LocalStorage(models_dir)).load(published.model_version)[0]
    assert stored.gate == published.gate


def test_the_served_version_is_asked_for_at_the_end_when_it_may_have_changed(
    models_dir: Path,
) -> None:
    scripted = ScriptedRun()
    asked_after: list[int] = []

    def served() -> Served:
        asked_after.append(len(scripted.reports))
        return Served()

    run_stages(
        scripted,
        definition=quick_definition(),
        training_data=None,
        model_store=ModelStore(LocalStorage(models_dir)),
        served=served,
        promotion_tolerance=0.01,
    )
    assert asked_after == [len(scripted.reports)]


# --- a run that does not ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("reason", [RunCancelled, RunLost])
@pytest.mark.parametrize("stop_at", range(17))
def test_a_run_that_is_stopped_between_stages_or_folds_publishes_nothing(
    models_dir: Path, stop_at: int, reason: type[RunStopped]
) -> None:
    scripted = ScriptedRun(stop_at=stop_at, reason=reason)
    with pytest.raises(reason):
        run(models_dir, scripted)
    assert len(scripted.reports) == stop_at
    assert versions(models_dir) == []


def test_a_whole_run_has_the_seventeen_checkpoints_that_are_tried_above(models_dir: Path) -> None:
    scripted = ScriptedRun()
    run(models_dir, scripted)
    assert len(scripted.reports) == 17


def test_a_run_that_is_lost_while_publishing_leaves_nothing_half_written(models_dir: Path) -> None:
    class LostRun(ScriptedRun):
        def choose_version(self, proposed: str) -> str:
            raise RunLost(self.job_id)

    with pytest.raises(RunLost):
        run(models_dir, LostRun())
    assert versions(models_dir) == []


def test_bad_data_ends_the_run_in_its_first_stage_and_publishes_nothing(
    models_dir: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("Survived,Sex\n1,male\n")
    scripted = ScriptedRun()
    with pytest.raises(BadTrainingData, match="lacks the columns"):
        run(models_dir, scripted, training_data=str(bad))
    assert scripted.reports == [(Stage.LOAD, 0.0)]
    assert versions(models_dir) == []


def test_a_table_with_fewer_rows_of_a_label_than_folds_is_bad_data(
    models_dir: Path, tmp_path: Path
) -> None:
    rows = pd.read_csv(TRAINING_DATA).groupby("Survived").head(9)
    rows.to_csv(tmp_path / "few.csv")
    with pytest.raises(BadTrainingData, match="at least 10 rows of each label"):
        run(models_dir, ScriptedRun(), training_data=str(tmp_path / "few.csv"))
    assert versions(models_dir) == []


def test_an_export_that_answers_otherwise_is_never_published(
    monkeypatch: pytest.MonkeyPatch, models_dir: Path
) -> None:
    model = onnx.load_from_string(exported_pipeline())
    (trees,) = [n for n in model.graph.node if n.op_type.startswith("TreeEnsemble")]
    (weights,) = [a for a in trees.attribute if a.name == "class_weights"]
    weights.floats[:] = np.array(weights.floats) * 1.01
    monkeypatch.setattr(export, "to_onnx", lambda *_: model.SerializeToString())
    with pytest.raises(ParityBroken):
        run(models_dir, ScriptedRun())
    assert versions(models_dir) == []


def test_the_training_data_is_read_anew_by_each_run(models_dir: Path, tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    source.write_bytes(Path(TRAINING_DATA).read_bytes())
    first = run(models_dir, ScriptedRun(), training_data=str(source))
    source.write_bytes(source.read_bytes().replace(b"\r\n", b"\n") + b"\n\n")
    second = run(models_dir, ScriptedRun(), training_data=str(source), served=first.model_version)
    assert second.data.sha256 != first.data.sha256
    assert second.data.rows == first.data.rows
    assert "different data" in second.gate.reason
    assert json.loads((models_dir / second.model_version / "manifest.json").read_text())["data"]


# --- each kind of model --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("example", ["titanic", "penguins", "diabetes"])
def test_an_example_is_trained_from_its_folder_and_what_is_published_answers(
    models_dir: Path, example: str
) -> None:
    defined = definition(example) if example != "titanic" else quick_definition()
    published = run(models_dir, ScriptedRun(), defined=defined)
    manifest, model = ModelStore(LocalStorage(models_dir)).load(published.model_version)
    assert manifest == published
    schema = manifest.record_schema
    assert schema == defined.schema
    assert manifest.gate.outcome == "promoted"
    assert manifest.plots == [plot for plot in Plot if plot in drawing.PLOTS[schema.kind]]
    assert manifest.metrics[manifest.metric].folds == 10 and manifest.higher_is_better
    assert manifest.parity.max_difference <= 1e-5
    records = Decoder(schema.features).to_records(schema.examples)
    rows = columns_of(schema.features)(records)
    answer = model.predict(rows)
    frame = pd.DataFrame({name: column[:, 0] for name, column in rows.items()})
    expected = joblib.load(models_dir / published.model_version / PIPELINE_FILE).predict(frame)
    if schema.kind is Kind.REGRESSION:
        assert answer.values == pytest.approx(expected, rel=1e-5)
        quantiles = manifest.data.quantiles
        assert quantiles is not None and (quantiles[0], quantiles[-1]) == (25, 346)
    else:
        assert [schema.classes[code] for code in codes_of(answer)] == expected.tolist()
    if schema.kind is Kind.MULTICLASS:
        assert manifest.data.labels == {"Adelie": 146, "Chinstrap": 68, "Gentoo": 119}


def test_a_candidate_of_another_schema_is_kept_and_not_served(models_dir: Path) -> None:
    served = publish(models_dir)
    published = run(
        models_dir, ScriptedRun(), defined=definition("diabetes"), served=served, tolerance=1
    )
    assert (published.gate.outcome, published.gate.compared_with) == ("rejected", served)
    assert "the target was Survived and is progression" in published.gate.reason


def test_booleans_and_a_positive_label_of_ones_own_are_kept_to_the_manifest(
    models_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "orders"
    folder.mkdir()
    (folder / "record.py").write_text(
        "from pydantic import BaseModel, Field\n"
        'TARGET = "late"\n'
        "POSITIVE = False\n"
        "class Order(BaseModel):\n"
        '    """An order."""\n'
        "    weight: float | None = Field(None, ge=0)\n"
        "    late: bool\n"
        'EXAMPLES = [{"weight": 1.5}, {}]\n'
    )
    (folder / "model.py").write_text(
        "from sklearn.impute import SimpleImputer\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.pipeline import make_pipeline\n"
        "def estimator():\n"
        "    return make_pipeline(SimpleImputer(), LogisticRegression())\n"
    )
    rows = "".join(f"{i % 7 + i % 2},{'True' if i % 2 else 'false'}\n" for i in range(60))
    (folder / "data.csv").write_text("weight,late\n" + rows)
    published = run(models_dir, ScriptedRun(), defined=read(folder))
    schema = published.record_schema
    assert (schema.classes, schema.positive, published.data.positives) == (
        *((False, True), False),
        30,
    )
    assert published.metrics["roc_auc"].mean > 0.5
