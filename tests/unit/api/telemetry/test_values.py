"""The numbers of a regression, over swaps, over processes, and over their ends."""

import os
from pathlib import Path

import numpy as np
import pytest

from api.telemetry import process_files
from api.telemetry.exposition import _of_values
from api.telemetry.values import SETS, Values, all_of

_DEAD = 2**22 + 1
"""An id that no process has: the kernel gives none above 2^22."""


def observe(own: Values, target: str, quantiles: list[float], *numbers: float) -> None:
    own.count(own.begin(target, quantiles), np.array(numbers, np.float32))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look is a second later."""
    now = iter(range(1, 100_000))
    monkeypatch.setattr("time.time", lambda: float(next(now)))


def test_a_number_is_counted_in_the_quantiles_of_its_target() -> None:
    own = Values()
    # Quantiles that are equal, and a last one that is on a number of the answer.
    observe(own, "price", [0, 0, 2.5, 1e6], -1, 0, 2.5, 3, 1e6, 2e6, float("nan"))
    (found,) = own.own()
    assert found.at_most == [("0", 2), ("2.5", 3), ("1e+06", 5), ("+Inf", 7)]
    assert found.sum == 3_000_004.5


def test_a_bound_that_single_precision_lacks_is_the_bound() -> None:
    own = Values()
    observe(own, "price", [0.1, 0.30000000000000004], 0.1, 0.3)
    assert own.own()[0].at_most == [("0.1", 1), ("0.3", 2), ("+Inf", 2)]


@pytest.mark.usefixtures("clock")
def test_each_set_of_buckets_has_series_of_its_own_and_is_found_again() -> None:
    own = Values()
    observe(own, "price", [1, 2], 1.5)
    observe(own, "price", [1, 3], 1.5)
    observe(own, "rent", [1, 2], 1.5)
    # A roll back.
    observe(own, "price", [1, 2], 5)
    assert [(one.target, one.bounds, one.counts) for one in own.own()] == [
        ("price", (1, 2), [0, 1, 1]),
        ("rent", (1, 2), [0, 1, 0]),
        ("price", (1, 3), [0, 1, 0]),
    ]
    assert len({one.buckets for one in own.own()}) == 3


@pytest.mark.usefixtures("clock")
def test_a_thousand_swaps_leave_few_series_and_a_small_file(tmp_path: Path) -> None:
    own = Values()
    for at in range(1000):
        observe(own, "price", [at, at + 1], at)
    own.save(tmp_path, os.getpid())
    assert [one.bounds[0] for one in all_of(tmp_path)] == [999, 998, 997, 996]
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size < 2000


@pytest.mark.usefixtures("clock")
def test_processes_add_up_and_the_counts_of_the_ended_stay(tmp_path: Path) -> None:
    living, ended = Values(), Values()
    observe(ended, "price", [1, 2], 0, 5)
    observe(ended, "rent", [7], 7)
    observe(living, "price", [1, 2], 1.5)
    ended.save(tmp_path, _DEAD)
    living.save(tmp_path, os.getpid())
    # Added up once, however often it is asked for.
    for _ in range(2):
        with process_files.settled(tmp_path):
            found = all_of(tmp_path)
        assert [(one.target, one.counts, one.sum) for one in found] == [
            ("price", [1, 1, 1], 6.5),
            ("rent", [1, 0], 7),
        ]
    names = {file.name for file in tmp_path.glob("values_*")}
    assert names == {"values_0", f"values_{os.getpid()}"}


@pytest.mark.usefixtures("clock")
def test_many_ended_processes_leave_one_small_file(tmp_path: Path) -> None:
    for at in range(3 * SETS):
        own = Values()
        observe(own, "price", [at], at)
        own.save(tmp_path, _DEAD + at)
    process_files.add_up_the_ended(tmp_path)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size < 2000
    assert [one.bounds for one in all_of(tmp_path)] == [(11,), (10,), (9,), (8,)]


def test_a_file_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = Values()
    observe(own, "price", [1], 1)
    for _ in range(3):
        own.save(tmp_path / "gone", 1)
    assert caplog.text.count("lifeboat_predicted_value stays behind") == 1
    own.save(tmp_path, os.getpid())
    assert len(all_of(tmp_path)) == 1


def test_a_file_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    own = Values()
    observe(own, "price", [1], 1)
    own.save(tmp_path, os.getpid())
    (tmp_path / f"values_{_DEAD}").write_bytes(b"[{")
    with process_files.settled(tmp_path):
        assert [one.counts for one in all_of(tmp_path)] == [[1, 0]]
    assert not (tmp_path / f"values_{_DEAD}").exists()


def test_numbers_below_zero_have_a_count_and_no_sum_as_everywhere_in_prometheus() -> None:
    own = Values()
    observe(own, "change", [-1, 1], -5, 0)
    names = [one.name for one in _of_values(own.own()).samples]
    assert names.count("lifeboat_predicted_value_count") == 1
    assert "lifeboat_predicted_value_sum" not in names


def test_a_version_without_quantiles_is_counted_all_the_same() -> None:
    own = Values()
    observe(own, "price", [], 1, 2)
    samples = {one.name: one.value for one in _of_values(own.own()).samples}
    assert samples == {
        "lifeboat_predicted_value_bucket": 2,
        "lifeboat_predicted_value_count": 2,
        "lifeboat_predicted_value_sum": 3,
    }
