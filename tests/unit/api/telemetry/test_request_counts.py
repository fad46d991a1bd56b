import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from api.telemetry.request_counts import RequestCounts


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def counts(registry: CollectorRegistry) -> RequestCounts:
    requests = Counter("asked", "Asked.", ["method", "route", "status"], registry=registry)
    seconds = Histogram("took", "Took.", ["route"], buckets=(0.1, 1), registry=registry)
    return RequestCounts(requests, seconds)


def asked(registry: CollectorRegistry, status: str = "200") -> float | None:
    labels = {"method": "GET", "route": "/a", "status": status}
    return registry.get_sample_value("asked_total", labels)


def took(registry: CollectorRegistry, bound: str) -> float | None:
    return registry.get_sample_value("took_bucket", {"route": "/a", "le": bound})


def test_what_is_noted_is_counted_once_at_the_next_flush(
    counts: RequestCounts, registry: CollectorRegistry
) -> None:
    counts.series("GET", "/a", 200).note(0.5)
    assert asked(registry) is None
    counts.flush()
    counts.flush()
    assert asked(registry) == 1
    counts.series("GET", "/a", 200).note(0.5)
    counts.series("GET", "/a", 404).note(7)
    counts.flush()
    assert (asked(registry), asked(registry, "404")) == (2, 1)
    assert registry.get_sample_value("took_sum", {"route": "/a"}) == pytest.approx(8)


def test_a_duration_on_a_bound_counts_as_below_it(
    counts: RequestCounts, registry: CollectorRegistry
) -> None:
    for seconds in (0.0, 0.1, 0.11, 1.0, 1.01):
        counts.series("GET", "/a", 200).note(seconds)
    counts.flush()
    assert [took(registry, bound) for bound in ("0.1", "1.0", "+Inf")] == [2, 4, 5]


def test_nothing_is_lost_or_doubled_while_others_flush(
    counts: RequestCounts, registry: CollectorRegistry
) -> None:
    stop = threading.Event()

    def flush() -> None:
        while not stop.is_set():
            counts.flush()

    with ThreadPoolExecutor(2) as pool:
        flushing = [pool.submit(flush) for _ in range(2)]
        for i in range(20_000):
            counts.series("GET", "/a", 200 + i % 3).note(0.5)
        stop.set()
        for one in flushing:
            one.result()
    counts.flush()
    assert sum(asked(registry, str(status)) or 0 for status in (200, 201, 202)) == 20_000
    assert took(registry, "1.0") == 20_000
    assert registry.get_sample_value("took_sum", {"route": "/a"}) == pytest.approx(10_000)
