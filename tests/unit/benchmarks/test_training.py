"""The table that `make bench-training` makes is one that training takes, and a run is measured."""

from pathlib import Path

from benchmarks.training.measured_run import MeasuredRun
from benchmarks.training.table import write_table
from shared.jobs.job import Stage
from tests.support.titanic import SCHEMA
from worker.training import table


def test_a_resampled_table_is_sound_and_has_more_different_rows(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_table(path, rows=3_000)
    loaded = table.load(str(path), SCHEMA, folds=10)
    assert loaded.data.rows == 3_000
    assert len(loaded.features.drop_duplicates()) > 1_500


def test_each_stage_is_counted_from_its_first_report_to_the_next_stage() -> None:
    run = MeasuredRun()
    for stage, progress in ((Stage.LOAD, 0.0), (Stage.FIT, 0.1), (Stage.FIT, 0.2)):
        run.report(stage, progress)
    run.end_stage()
    assert list(run.seconds) == list(run.peak_mb) == [Stage.LOAD, Stage.FIT]
    assert all(peak > 1 for peak in run.peak_mb.values())
    assert 0 < run.longest_silence < sum(run.seconds.values()) + 1
