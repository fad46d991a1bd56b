import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from api.telemetry import metrics, process_files
from api.telemetry.exposition import exposition
from shared import __version__
from shared.jobs.durations import JobStatistics, durations
from tests.support.titanic import SCHEMA

_ROOT = Path(__file__).parents[4]
VERSION = "20260102-030405-abcdef"
OTHER = "20260101-000000-aaaaaa"
NO_JOBS = JobStatistics(queued=0, durations=durations({}))


def samples(text: bytes) -> dict[str, float]:
    lines = [line for line in text.decode().splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def values_counted(shown: dict[str, float]) -> dict[str, float]:
    named = {name: value for name, value in shown.items() if 'target="price"' in name}
    found = {name.split('le="')[1].split('"')[0]: named[name] for name in named if "le=" in name}
    (total,) = (value for name, value in named.items() if "value_sum" in name)
    return found | {"sum": total}


def info(version: str) -> str:
    return f'lifeboat_model_info{{model_version="{version}"}}'


def test_the_served_version_is_named() -> None:
    shown = samples(exposition("abc", VERSION, None))
    assert shown[info(VERSION)] == 1
    assert shown[f'lifeboat_build_info{{revision="abc",version="{__version__}"}}'] == 1


def test_before_the_first_model_no_version_is_named() -> None:
    assert not [name for name in samples(exposition("abc", None, None)) if "model_info" in name]


def test_only_the_version_that_is_served_now_has_a_series() -> None:
    exposition("abc", OTHER, None)
    named = [name for name in samples(exposition("abc", VERSION, None)) if "model_info" in name]
    assert named == [info(VERSION)]


def test_what_is_counted_is_shown() -> None:
    before = samples(exposition("abc", None, None))["lifeboat_predicted_rows_total"]
    metrics.PREDICTED_ROWS.inc(3)
    assert samples(exposition("abc", None, None))["lifeboat_predicted_rows_total"] == before + 3


def test_what_can_be_counted_is_there_before_it_was() -> None:
    metrics.PREDICTED.tally(SCHEMA, None)
    shown = samples(exposition("abc", None, None))
    assert {
        *('lifeboat_predictions_total{label="0"}', 'lifeboat_predictions_total{label="1"}'),
        'lifeboat_shed_requests_total{cap="requests at once"}',
        'lifeboat_shed_requests_total{cap="large bodies"}',
        'lifeboat_shed_requests_total{cap="event streams"}',
        'lifeboat_shed_requests_total{cap="connections"}',
    } <= set(shown)


def test_jobs_are_shown_as_the_histogram_that_they_are() -> None:
    fields = {"failed:1": "2", "failed:5": "1", "failed:+Inf": "4", "failed:sum": "30000.5"}
    jobs = JobStatistics(queued=1, durations=durations(fields))
    shown = samples(exposition("abc", None, jobs))
    assert shown["lifeboat_queue_length"] == 1
    buckets = {
        bound: shown[f'lifeboat_job_duration_seconds_bucket{{le="{bound}",outcome="failed"}}']
        for bound in ("1", "2.5", "5", "3600", "+Inf")
    }
    assert buckets == {"1": 2, "2.5": 2, "5": 3, "3600": 3, "+Inf": 7}
    assert shown['lifeboat_job_duration_seconds_count{outcome="failed"}'] == 7
    assert shown['lifeboat_job_duration_seconds_sum{outcome="failed"}'] == 30000.5
    for outcome in ("promoted", "rejected", "cancelled"):
        assert shown[f'lifeboat_job_duration_seconds_count{{outcome="{outcome}"}}'] == 0


def test_without_redis_nothing_is_said_of_jobs() -> None:
    assert not re.search("lifeboat_(queue|job)", exposition("abc", VERSION, None).decode())


@pytest.mark.parametrize("free", [0, 1, 10**15])
def test_the_free_space_for_versions_is_shown(free: int) -> None:
    assert samples(exposition("abc", VERSION, None, free))["lifeboat_models_free_bytes"] == free


def test_a_place_without_an_end_has_no_free_space() -> None:
    assert b"lifeboat_models" not in exposition("abc", VERSION, None, None)


_PROCESS = """
import sys
from pathlib import Path
import numpy as np
from api.telemetry import metrics, process_files
from shared.schema.schema import Schema
from shared.versions.onnx_model import Answer
from api.telemetry.exposition import exposition
metrics.PREDICTED_ROWS.inc(int(sys.argv[1]) - 1)
metrics.REDIS_UP.set(int(sys.argv[2]))
metrics.MODEL_CREATED.set(int(sys.argv[3]))
price = Schema(record="House", features=(), target="price", kind="regression")
tally = metrics.PREDICTED.tally(price, [10, 100])
metrics.PREDICTED.note(tally, Answer(values=np.array([float(sys.argv[1])], np.float32)))
metrics.PREDICTED.save()
process_files.note(process_files.folder(), sys.argv[4])
print("ready", flush=True)
if sys.argv[5] == "wait":
    sys.stdin.read()
else:
    print(exposition("abc", sys.argv[4], None).decode())
"""


def process(folder: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", _PROCESS, *arguments],
        cwd=_ROOT,
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A buffered read of the first line could take more, which is then not in the rest.
        bufsize=0,
    )
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    return process


@pytest.fixture
def shown(tmp_path: Path) -> Callable[..., dict[str, float]]:
    """What another process shows that has just started, beside those that are there."""

    def show(*arguments: str) -> dict[str, float]:
        with process(tmp_path, *arguments, "show") as shown:
            return samples(shown.communicate()[0])

    return show


@pytest.mark.slow
def test_the_numbers_of_all_processes_add_up_and_a_killed_one_keeps_no_gauge(
    tmp_path: Path, shown: Callable[..., dict[str, float]]
) -> None:
    living = process(tmp_path, "5", "1", "300", VERSION, "wait")
    killed = process(tmp_path, "20", "0", "100", OTHER, "wait")
    try:
        together = shown("100", "1", "400", VERSION)
        killed.kill()
        killed.wait()
        afterwards = shown("1000", "1", "400", VERSION)
    finally:
        for each in (living, killed):
            each.kill()
            each.communicate()
    assert together["lifeboat_predicted_rows_total"] == 125
    assert together["lifeboat_redis_up"] == 0
    assert together["lifeboat_served_model_created_timestamp_seconds"] == 100
    assert (together[info(VERSION)], together[info(OTHER)]) == (2, 1)
    # What it counted was predicted; what it served is served no more.
    assert afterwards["lifeboat_predicted_rows_total"] == 1125
    assert afterwards["lifeboat_redis_up"] == 1
    assert afterwards["lifeboat_served_model_created_timestamp_seconds"] == 300
    assert afterwards[info(VERSION)] == 2
    assert info(OTHER) not in afterwards
    # Another Python each, and what is dead has no memory.
    memory = "lifeboat_resident_memory_bytes"
    if memory in together:
        assert 0 < afterwards[memory] < together[memory]
    # One file has what all have counted that have ended.
    with process_files.settled(tmp_path):
        assert {path.name for path in tmp_path.glob("*_*.db")} == {
            *("counter_0.db", "histogram_0.db"),
        } | {path.name for path in tmp_path.glob("gauge_*.db")}
    buckets = values_counted(afterwards)
    assert buckets == {"10": 1, "100": 3, "+Inf": 4, "sum": 5 + 20 + 100 + 1000}
    third = shown("1", "1", "400", VERSION)
    assert third["lifeboat_predicted_rows_total"] == 1126


def test_a_file_of_an_ended_process_that_cannot_be_read_is_left_out(
    tmp_path: Path, shown: Callable[..., dict[str, float]], caplog: pytest.LogCaptureFixture
) -> None:
    shown("5", "1", "300", VERSION)
    (broken,) = [path for path in tmp_path.glob("counter_*.db") if path.name != "counter_0.db"]
    broken.write_bytes(broken.read_bytes()[:100])
    with process_files.settled(tmp_path):
        assert not broken.exists()
    assert "counts of a process that has ended are lost" in caplog.text


def test_folders_of_killed_apis_are_removed_and_those_of_living_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, other = tmp_path / "lifeboat-metrics-left", tmp_path / "of-another-program"
    for folder in (left, other):
        folder.mkdir()
        (folder / "counter_1.db").touch()
    with process_files.new_folder() as first, process_files.new_folder() as second:
        assert {path.name for path in tmp_path.iterdir()} == {
            *(Path(first).name, Path(second).name, other.name)
        }
    assert list(tmp_path.iterdir()) == [other]


def test_a_thousand_swaps_leave_one_small_file(tmp_path: Path) -> None:
    for number in range(1000):
        process_files.note(tmp_path, f"20260101-000000-{number:06x}")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["20260101-000000-0003e7"]
    assert process_files.noted(tmp_path) == {os.getpid(): "20260101-000000-0003e7"}


def test_a_version_that_cannot_be_noted_is_served_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process_files.note(tmp_path / "gone", VERSION)
    assert "lifeboat_model_info" in caplog.text
