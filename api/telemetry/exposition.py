"""The text of `/metrics`: the same over all processes of this host, whichever answers.

The counts of the processes are in files of prometheus_client's, and are added up. Everything else
is read at each scrape: from Redis, from /proc, from the models folder, and from what each process
reports to serve.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from api.telemetry import metrics, process_files
from api.telemetry.values import ValueCounts, all_of
from shared import __version__
from shared.jobs.durations import JobStatistics

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class _Read(Collector):
    """Metrics that are read at the scrape, not counted."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def exposition(
    revision: str,
    served_version: str | None,
    jobs: JobStatistics | None,
    free_bytes: int | None = None,
) -> bytes:
    """Return the text of `/metrics`.

    `revision` is that of the code, and `served_version` what this process serves. `jobs` is None
    while Redis does not answer. `free_bytes` is the room for model versions, None if nobody knows.
    """
    metrics.save()
    read = CollectorRegistry()
    shared = process_files.folder()
    pids, versions = {os.getpid()}, dict[int, str]()
    if shared is None:
        counted = generate_latest(REGISTRY)
        values = metrics.PREDICTED.values.own()
    else:
        pids = _living(shared)
        versions = process_files.noted(shared)
        counted, values = _counted(shared)
    if served_version is not None:
        versions[os.getpid()] = served_version
    build = GaugeMetricFamily(
        "lifeboat_build_info",
        "1, with Lifeboat's version and the revision of its code.",
        labels=["version", "revision"],
    )
    build.add_metric([__version__, revision], 1)
    families = [
        *(build, _of_values(values)),
        *(*_of_processes(pids, versions), *_of_models(free_bytes), *_of_jobs(jobs)),
    ]
    read.register(_Read(families))
    return counted + generate_latest(read)


def _counted(shared: Path) -> tuple[bytes, list[ValueCounts]]:
    """Return what all processes have counted; nobody else adds the same up meanwhile."""
    registry = CollectorRegistry()
    with process_files.settled(shared):
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), all_of(shared)


def _of_values(values: list[ValueCounts]) -> Metric:
    family = HistogramMetricFamily(
        "lifeboat_predicted_value",
        "Numbers predicted; the buckets are quantiles of the training target.",
        labels=["target", "buckets"],
    )
    for one in values:
        # Numbers below zero make a sum that falls, which no rate can be taken of: as everywhere in
        # Prometheus, such a histogram has buckets and a count, and is without a sum.
        family.add_metric([one.target, one.buckets], one.at_most, one.sum)
        if one.bounds and one.bounds[0] < 0:
            named = {"target": one.target, "buckets": one.buckets}
            family.add_sample("lifeboat_predicted_value_count", named, float(sum(one.counts)))
    return family


def _of_processes(pids: set[int], versions: dict[int, str]) -> Iterator[Metric]:
    info = GaugeMetricFamily(
        "lifeboat_model_info",
        "How many API processes serve that model version.",
        labels=["model_version"],
    )
    for version, processes in sorted(Counter(versions.values()).items()):
        info.add_metric([version], processes)
    yield info
    resident = [size for pid in pids if (size := _resident_bytes(pid)) is not None]
    if resident:
        yield GaugeMetricFamily(
            "lifeboat_resident_memory_bytes",
            "Resident memory of the API processes together, without their parent.",
            value=sum(resident),
        )


def _of_models(free_bytes: int | None) -> Iterator[Metric]:
    if free_bytes is not None:
        yield GaugeMetricFamily(
            "lifeboat_models_free_bytes",
            "Free space where the model versions are stored.",
            value=free_bytes,
        )


def _of_jobs(jobs: JobStatistics | None) -> Iterator[Metric]:
    if jobs is None:
        return
    yield GaugeMetricFamily(
        "lifeboat_queue_length", "Training jobs that wait for a worker.", value=jobs.queued
    )
    durations = HistogramMetricFamily(
        "lifeboat_job_duration_seconds",
        "From the first start of a training job to its end, by how it ended.",
        labels=["outcome"],
    )
    for outcome, duration in jobs.durations.items():
        buckets = [(f"{bound:g}", float(count)) for bound, count in duration.at_most.items()]
        buckets.append(("+Inf", float(duration.count)))
        durations.add_metric([outcome], buckets, duration.seconds)
    yield durations


def _living(shared: Path) -> set[int]:
    """Return the ids of the API's living processes, and remove the gauges and notes of the dead.

    A process that was killed cannot remove its own. Its counts stay: they are part of the totals.
    """
    pids = {int(path.stem.rpartition("_")[2]) for path in shared.glob("gauge_live*_*.db")}
    pids |= process_files.noted(shared).keys()
    living = {pid for pid in pids if process_files.is_alive(pid)}
    for pid in pids - living:
        process_files.forget(shared, pid)
        # Another process may be removing them at the same time.
        with suppress(FileNotFoundError):
            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
    return living


def _resident_bytes(pid: int) -> int | None:
    """Return the resident memory of a process; None without /proc, or if the process has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return None
