import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from prometheus_client import REGISTRY, Histogram
from prometheus_client.registry import CollectorRegistry
from pydantic import SecretStr

from api import limits
from api.app import create_app
from api.telemetry.counting import BulkHistogram
from api.telemetry.metrics import PREDICTED
from shared.settings import Settings

BOUNDS = [tenths / 10 for tenths in range(1, 11)]


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


def counts() -> list[float]:
    """Rows, labels 0 and 1, probabilities, and their sum."""
    return [
        count("lifeboat_predicted_rows_total"),
        count("lifeboat_predictions_total", label="0"),
        count("lifeboat_predictions_total", label="1"),
        count("lifeboat_predicted_probability_count"),
        count("lifeboat_predicted_probability_sum"),
    ]


@pytest.fixture
def before() -> Iterator[list[float]]:
    PREDICTED.flush()
    yield counts()
    PREDICTED.flush()


def note(*probabilities: float) -> None:
    values = np.array(probabilities, np.float32)
    PREDICTED.note((values > 0.5).astype(np.int64), values)


def test_what_is_noted_is_counted_once_at_the_next_flush(before: list[float]) -> None:
    note(0.25, 0.75, 1.0)
    note()
    assert counts() == before
    PREDICTED.flush()
    PREDICTED.flush()
    assert counts() == pytest.approx(np.add(before, [3, 1, 2, 3, 2.0]).tolist())


def test_a_large_call_does_not_wait(before: list[float]) -> None:
    note(*[0.5] * 1001)
    assert counts() == pytest.approx(np.add(before, [1001, 1001, 0, 1001, 500.5]).tolist())


def test_nothing_is_lost_or_doubled_between_threads(before: list[float]) -> None:
    calls, threads = 2000, 4

    def one(number: int) -> None:
        for _ in range(calls):
            note(0.25, 0.75)
            if number == 0:
                PREDICTED.flush()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(threads)))
    PREDICTED.flush()
    rows = 2 * calls * threads
    expected = np.add(before, [rows, rows / 2, rows / 2, rows, rows / 2])
    assert counts() == pytest.approx(expected.tolist())


def test_the_duty_flushes_by_itself_and_ends(
    before: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "COUNT_SECONDS", 0.001)
    stop, flushed = threading.Event(), threading.Event()
    flush = PREDICTED.flush

    def noted_flush() -> None:
        flush()
        flushed.set()

    monkeypatch.setattr(PREDICTED, "flush", noted_flush)
    note(0.25)
    thread = threading.Thread(target=PREDICTED.keep_flushing, args=(stop,))
    thread.start()
    assert flushed.wait(30)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    assert counts()[0] == before[0] + 1


def test_a_process_that_ends_counts_what_it_has_noted(
    before: list[float], models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "COUNT_SECONDS", 3600)
    settings = Settings(models_dir=models_dir, redis_url=SecretStr("redis://127.0.0.1:1/0"))
    with TestClient(create_app(settings)):
        note(0.25)
        assert counts() == before
    assert counts()[0] == before[0] + 1


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).random(5000),
        np.array([0.0, 0.05, 0.5, 1.0, 1.5, -1.0]),
        np.array(BOUNDS),
        np.array([]),
    ],
)
def test_many_values_at_once_are_counted_as_one_by_one(values: NDArray[np.float64]) -> None:
    registry = CollectorRegistry()
    single = Histogram("single", "One by one.", buckets=BOUNDS, registry=registry)
    bulk = BulkHistogram("bulk", "At once.", buckets=BOUNDS, registry=registry)
    for value in values:
        single.observe(float(value))
    bulk.observe_all(values)
    for bound in [*map(str, BOUNDS), "+Inf"]:
        bucket = registry.get_sample_value("bulk_bucket", {"le": bound})
        assert bucket == registry.get_sample_value("single_bucket", {"le": bound}), bound
    assert registry.get_sample_value("bulk_sum") == pytest.approx(
        registry.get_sample_value("single_sum")
    )


def test_a_bound_in_single_precision_is_the_bound(before: list[float]) -> None:
    registry = CollectorRegistry()
    histogram = BulkHistogram("bulk", "At once.", buckets=BOUNDS, registry=registry)
    histogram.observe_all(np.array(BOUNDS, np.float32))
    counted = [registry.get_sample_value("bulk_bucket", {"le": str(bound)}) for bound in BOUNDS]
    assert counted == [*range(1, 11)]
