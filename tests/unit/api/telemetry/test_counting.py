import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.registry import CollectorRegistry
from pydantic import SecretStr

from api import limits
from api.app import create_app
from api.telemetry import metrics
from api.telemetry.counting import BulkHistogram, PredictionCounts
from api.telemetry.metrics import PREDICTED
from shared.schema.schema import Kind, Schema
from shared.settings import Settings
from shared.versions.onnx_model import Answer
from tests.support.titanic import SCHEMA

TALLY = PREDICTED.tally(SCHEMA, None)
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
    both = np.stack([1 - values, values], axis=1)
    PREDICTED.note(TALLY, Answer((values > 0.5).astype(np.int64), both))


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
    thread = threading.Thread(target=metrics.keep_saving, args=(stop,))
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


def schema(kind: Kind, *classes: str, positive: str | None = None, target: str = "y") -> Schema:
    return Schema(
        record="Row", features=(), target=target, kind=kind, classes=classes, positive=positive
    )


class Registered:
    """Metrics of their own, so that no other test counts in them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.predicted = PredictionCounts(
            Counter("rows", "Rows.", registry=self.registry),
            Counter("labels", "Labels.", ["label"], registry=self.registry),
            BulkHistogram("chance", "Chances.", buckets=BOUNDS, registry=self.registry),
        )

    def count(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def labels(self) -> dict[str, float]:
        (family,) = (one for one in self.registry.collect() if one.name == "labels")
        samples = [one for one in family.samples if one.name == "labels_total"]
        return {one.labels["label"]: one.value for one in samples}


def test_of_two_labels_the_probability_of_the_positive_one_is_counted() -> None:
    own = Registered()
    # The labels ascend, and the positive one is the first.
    tally = own.predicted.tally(schema(Kind.BINARY, "no", "yes", positive="no"), None)
    assert own.labels() == {"no": 0, "yes": 0}
    chances = np.array([[0.75, 0.25], [0.125, 0.875]], np.float32)
    own.predicted.note(tally, Answer(np.array([0, 1]), chances))
    own.predicted.flush()
    assert own.labels() == {"no": 1, "yes": 1}
    assert own.count("chance_sum") == 0.875


def test_of_more_labels_the_probability_of_the_label_given_is_counted() -> None:
    own = Registered()
    tally = own.predicted.tally(schema(Kind.MULTICLASS, "a", "b", "c"), None)
    chances = np.array([[0.25, 0.25, 0.5], [0.75, 0.125, 0.125]], np.float32)
    own.predicted.note(tally, Answer(np.array([2, 0]), chances))
    own.predicted.note(tally, Answer(np.array([], np.int64), np.empty((0, 3), np.float32)))
    own.predicted.flush()
    assert own.labels() == {"a": 1, "b": 0, "c": 1}
    assert (own.count("rows_total"), own.count("chance_sum")) == (2, 1.25)


def test_a_model_of_many_classes_has_few_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "COUNTED_CLASSES", 3)
    own = Registered()
    many = schema(Kind.MULTICLASS, *(f"class {at}" for at in range(9)))
    tally = own.predicted.tally(many, None)
    assert set(own.labels()) == {"class 0", "class 1", "class 2", "other"}
    chances = np.full((9, 9), 1 / 9, np.float32)
    own.predicted.note(tally, Answer(np.arange(9), chances))
    own.predicted.flush()
    assert own.labels() == {"class 0": 1, "class 1": 1, "class 2": 1, "other": 6}


def test_a_thousand_schemas_have_few_series_and_lose_no_row() -> None:
    own = Registered()
    for at in range(1000):
        classes = [f"{at} {name}" for name in "abc"]
        tally = own.predicted.tally(schema(Kind.MULTICLASS, *classes), None)
        own.predicted.note(tally, Answer(np.array([1]), np.full((1, 3), 1 / 3, np.float32)))
    own.predicted.flush()
    assert len(own.labels()) == limits.COUNTED_LABELS + 1
    assert sum(own.labels().values()) == own.count("rows_total") == 1000


def test_what_two_versions_answer_between_two_counts_is_counted_apart() -> None:
    own = Registered()
    one = own.predicted.tally(schema(Kind.MULTICLASS, "a", "b", "c"), None)
    other = own.predicted.tally(schema(Kind.REGRESSION), [0, 10])
    third = own.predicted.tally(schema(Kind.BINARY, "a", "z", positive="z"), None)
    for _ in range(2):
        own.predicted.note(one, Answer(np.array([2]), np.eye(3, dtype=np.float32)[2:]))
        own.predicted.note(other, Answer(values=np.array([4, 40], np.float32)))
        own.predicted.note(third, Answer(np.array([0]), np.eye(2, dtype=np.float32)[:1]))
    own.predicted.flush()
    assert own.count("rows_total") == 8
    assert own.labels() == {"a": 2, "b": 0, "c": 2, "z": 0}
    assert own.count("chance_count") == 4
    (values,) = own.predicted.values.own()
    assert (values.at_most, values.sum) == ([("0", 0), ("10", 2), ("+Inf", 4)], 88)
