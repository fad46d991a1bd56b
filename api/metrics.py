"""What the API counts, for Prometheus; right over all its processes.

With several processes each keeps its numbers in a file (`PROMETHEUS_MULTIPROC_DIR`, set by
`api/__main__.py`), and whichever answers `/metrics` adds them up.
"""

import os
from pathlib import Path

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

REQUESTS = Counter("lifeboat_http_requests", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "lifeboat_http_request_duration_seconds",
    "From the first byte of a request to the last of its answer.",
    ["route"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
SHED = Counter(
    "lifeboat_shed_requests",
    "Requests answered with 503 because too much was in progress.",
    ["cap"],
)
SLOW_CLIENTS = Counter(
    "lifeboat_slow_clients", "Connections closed because their client took too long."
)
PREDICTED_ROWS = Counter("lifeboat_predicted_rows", "Passengers predicted.")
SWAPS = Counter("lifeboat_model_swaps", "Model versions this API took into service.")
SWAP_FAILURES = Counter(
    "lifeboat_model_swap_failures", "Model versions that were refused or failed to load."
)
# No label for the version: a process that is gone would keep a series for each it ever served.
MODEL_CREATED = Gauge(
    "lifeboat_served_model_created_timestamp_seconds",
    "When the served model was made: the oldest over all processes.",
    multiprocess_mode="livemin",
)
REDIS_UP = Gauge(
    "lifeboat_redis_up",
    "1 while Redis answers: the lowest over all processes.",
    multiprocess_mode="livemin",
)


def exposition(served_version: str | None) -> bytes:
    """The text that `/metrics` answers with; `served_version` is this process's."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder:
        _forget_dead_processes(Path(folder))
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry = REGISTRY
    return generate_latest(registry) + _model_info(served_version)


def _model_info(served_version: str | None) -> bytes:
    if served_version is None:
        return b""
    return (
        "# HELP lifeboat_model_info The model version that the answering process serves.\n"
        "# TYPE lifeboat_model_info gauge\n"
        f'lifeboat_model_info{{model_version="{served_version}"}} 1.0\n'
    ).encode()


def _forget_dead_processes(folder: Path) -> None:
    """A process that was killed cannot take its gauges back; its counts stay, as they must."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = int(path.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
        except PermissionError:
            continue
