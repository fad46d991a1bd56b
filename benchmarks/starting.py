"""How long the API takes to be ready, and what each of its processes costs."""

import statistics
import time
from pathlib import Path

import psutil

from benchmarks import ours, wrk
from benchmarks.results import short, table
from benchmarks.server import Running
from tests.support.processes import children

_STARTS = 5
_SECONDS = 3


def start_up(models_dir: Path, redis_url: str, folder: Path) -> str:
    """From the start of the command to the first 200 of `/health/ready`, with a model there."""
    seconds = []
    for _ in range(_STARTS):
        started = time.monotonic()
        running = Running(ours.lifeboat(models_dir, redis_url), folder, cores="0,1")
        running.wait()
        seconds.append(time.monotonic() - started)
        running.end()
    return (
        f"Start to ready, one process: median {statistics.median(seconds):.2f} s,"
        f" slowest of {_STARTS} {max(seconds):.2f} s."
    )


def processes(models_dir: Path, redis_url: str, folder: Path) -> str:
    """For 1, 2 and 4: the rate of one passenger, and the memory, when ready and after loads."""
    lines = []
    for count in (1, 2, 4):
        running = Running(
            ours.lifeboat(models_dir, redis_url, processes=count), folder, cores="0,1"
        )
        running.wait()
        at_ready = max(_megabytes(process) for process in _serving(running.pid, count))
        call = running.server.calls[0]
        url = running.server.url + call.path
        for rows in (10_000, 1):
            body = call.body(rows)
            load = wrk.load(
                url, body.content, headers=body.headers, connections=16, seconds=_SECONDS
            )
        resident = [_megabytes(process) for process in _serving(running.pid, count)]
        whole = [_megabytes(p) for p in (psutil.Process(running.pid), *children(running.pid))]
        rate = load.requests_per_second
        lines.append([str(count), *map(short, (rate, at_ready, max(resident), sum(whole)))])
        running.end()
    return table(
        ["processes", "requests/s", "MB of the largest when ready", "MB after loads", "MB of all"],
        lines,
    )


def _serving(pid: int, count: int) -> list[psutil.Process]:
    """One process serves by itself; several are children of the one that looks after them."""
    return [psutil.Process(pid)] if count == 1 else _uvicorn_workers(pid)


def _megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss / 1e6)


def _uvicorn_workers(pid: int) -> list[psutil.Process]:
    return [p for p in children(pid) if "resource_tracker" not in " ".join(p.cmdline())]
