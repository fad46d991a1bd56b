import os
import subprocess
import sys
from pathlib import Path

import pytest

from api import metrics

_ROOT = Path(__file__).parents[3]
VERSION = "20260102-030405-abcdef"


def samples(text: bytes) -> dict[str, float]:
    lines = [line for line in text.decode().splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_the_exposition_names_the_served_version() -> None:
    assert samples(metrics.exposition(VERSION))[
        f'lifeboat_model_info{{model_version="{VERSION}"}}'
    ] == pytest.approx(1)


def test_before_the_first_model_no_version_is_named() -> None:
    assert b"lifeboat_model_info" not in metrics.exposition(None)


def test_only_the_version_that_is_served_now_has_a_series() -> None:
    metrics.exposition("20260101-000000-aaaaaa")
    named = [name for name in samples(metrics.exposition(VERSION)) if "model_info" in name]
    assert named == [f'lifeboat_model_info{{model_version="{VERSION}"}}']


def test_what_is_counted_is_shown() -> None:
    before = samples(metrics.exposition(None)).get("lifeboat_predicted_rows_total", 0)
    metrics.PREDICTED_ROWS.inc(3)
    assert samples(metrics.exposition(None))["lifeboat_predicted_rows_total"] == before + 3


_PROCESS = """
import sys
from api import metrics
metrics.PREDICTED_ROWS.inc(int(sys.argv[1]))
metrics.REDIS_UP.set(int(sys.argv[2]))
metrics.MODEL_CREATED.set(int(sys.argv[3]))
if sys.argv[4] == "wait":
    print("ready", flush=True)
    sys.stdin.read()
else:
    print(metrics.exposition(None).decode())
"""


def process(folder: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", _PROCESS, *arguments],
        cwd=_ROOT,
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def test_the_numbers_of_all_processes_add_up_and_a_killed_one_keeps_no_gauge(
    tmp_path: Path,
) -> None:
    living = process(tmp_path, "5", "1", "300", "wait")
    killed = process(tmp_path, "20", "0", "100", "wait")
    try:
        for each in (living, killed):
            assert each.stdout is not None and each.stdout.readline() == b"ready\n"
        with process(tmp_path, "100", "1", "400", "show") as shown:
            together = samples(shown.communicate()[0])
        killed.kill()
        killed.wait()
        with process(tmp_path, "1000", "1", "400", "show") as shown:
            afterwards = samples(shown.communicate()[0])
    finally:
        for each in (living, killed):
            each.kill()
            each.communicate()
    assert together["lifeboat_predicted_rows_total"] == 125
    assert together["lifeboat_redis_up"] == 0
    assert together["lifeboat_served_model_created_timestamp_seconds"] == 100
    # What it counted was predicted; what it served is served no more.
    assert afterwards["lifeboat_predicted_rows_total"] == 1125
    assert afterwards["lifeboat_redis_up"] == 1
    assert afterwards["lifeboat_served_model_created_timestamp_seconds"] == 300
