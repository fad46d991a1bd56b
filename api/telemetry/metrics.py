"""The metrics that the API counts, for Prometheus.

Each process keeps its numbers in files (`PROMETHEUS_MULTIPROC_DIR`, set by `api/__main__.py`). The
process that answers `/metrics` adds them up (`exposition`).
"""

import threading
from enum import StrEnum

from prometheus_client import Counter, Gauge, Histogram

from api import limits
from api.telemetry.counting import BulkHistogram, PredictionCounts
from api.telemetry.request_counts import RequestCounts

REQUESTS = Counter("lifeboat_http_requests", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "lifeboat_http_request_duration_seconds",
    "From the first byte of a request to the last of its answer.",
    ["route"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
ANSWERED = RequestCounts(REQUESTS, REQUEST_SECONDS)


class Cap(StrEnum):
    """What a process has no more room for when it sheds a request or closes a connection."""

    REQUESTS = "requests at once"
    BODIES = "large bodies"
    STREAMS = "event streams"
    CONNECTIONS = "connections"


SHED = Counter(
    "lifeboat_shed_requests",
    "Requests answered with 503, and connections closed, because there was no room for more.",
    ["cap"],
)
SLOW_CLIENTS = Counter(
    "lifeboat_slow_clients", "Connections closed because their client took too long."
)
PREDICTED_ROWS = Counter("lifeboat_predicted_rows", "Records predicted.")
PREDICTIONS = Counter("lifeboat_predictions", "Records classified, by their label.", ["label"])
PROBABILITIES = BulkHistogram(
    "lifeboat_predicted_probability",
    "Of each record classified: the probability of the positive one of two labels, or of the label "
    "given if there are more.",
    buckets=[tenths / 10 for tenths in range(1, 11)],
)
PREDICTED = PredictionCounts(PREDICTED_ROWS, PREDICTIONS, PROBABILITIES)
SWAPS = Counter("lifeboat_model_swaps", "Model versions this API took into service.")
SWAP_FAILURES = Counter(
    "lifeboat_model_swap_failures", "Model versions that were refused or failed to load."
)
SWAP_SECONDS = Histogram(
    "lifeboat_model_swap_duration_seconds",
    "From learning which version to serve to serving it: read, checked, loaded and warmed up.",
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
# Without a label for the version: a process that has ended would keep a series for each version
# that it ever served.
MODEL_CREATED = Gauge(
    "lifeboat_served_model_created_timestamp_seconds",
    "When the served model was made: the oldest over all processes.",
    multiprocess_mode="livemin",
)
REDIS_UP = Gauge(
    "lifeboat_redis_up",
    "1 while Redis answers: the lowest over all processes. NaN if there is none.",
    multiprocess_mode="livemin",
)
STORE_UP = Gauge(
    "lifeboat_store_up",
    "1 while the store that is followed without Redis answers: the lowest over all processes. NaN "
    "with Redis.",
    multiprocess_mode="livemin",
)

# From the start, so that a rate counts what is shed first. Labels are there once a version loads.
for cap in Cap:
    SHED.labels(cap)


def save() -> None:
    """Count what was noted, and write what other processes of this host are to read."""
    ANSWERED.flush()
    PREDICTED.save()


def keep_saving(stop: threading.Event) -> None:
    """Save until `stop` is set: a duty, because any process may be asked for the metrics."""
    while not stop.wait(limits.COUNT_SECONDS):
        save()
