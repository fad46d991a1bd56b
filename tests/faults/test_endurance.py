"""A day's worth of jobs, minutes of load with everything going on: nothing grows, nothing fails."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil
import pytest

from shared.jobs.store import KEEP_JOBS, JobStore
from shared.runtime.redis_keys import VERSION
from shared.versions.pruning import KEEP_REJECTED_VERSIONS
from tests.faults.conftest import Figure, Times
from tests.support.connections import clients_of
from tests.support.pinned import pinned_api
from tests.support.processes import RUN_SECONDS, Api, Process, Stack, children, wait_for
from tests.support.versions import TRAINING_DATA, publish

pytestmark = pytest.mark.thorough

_KEEP_VERSIONS = 3
_SETTLED = 0.3
"""The share of the runs after which all that is kept for a while is there."""
_MOST_GROWTH = 1.05
_MORE_FILES = 3
_MORE_KEYS = 3
"""Celery's lists come and go."""

_SOAK_SECONDS = 600
_SHORT_RUNS, _SHORT_SWAPS = 2, 4
_SOAK_SHARE = 0.7
_SOAK_SHARE_AT_LEAST = 0.6
_SWAP_SECONDS = 1.0


@dataclass(frozen=True)
class Sizes:
    redis_bytes: int
    redis_keys: int
    volume_bytes: int
    worker_bytes: int
    """Of the main process: its child is replaced now and then."""
    api_bytes: int
    """The sum over the supervisor and its processes."""
    open_files: int
    """Of the worker's main process and all of the API's."""

    def __str__(self) -> str:
        megabytes = (self.redis_bytes, self.volume_bytes, self.worker_bytes, self.api_bytes)
        redis, volume, worker, api = (f"{size / 1e6:.2f} MB" for size in megabytes)
        return (
            f"Redis {redis} in {self.redis_keys} keys, volume {volume}, worker's main process "
            f"{worker}, API {api}, {self.open_files} open files"
        )


def _sizes(stack: Stack, api: Api, worker: Process) -> Sizes:
    main = psutil.Process(worker.pid)
    served = [psutil.Process(api.pid), *children(api.pid)]
    return Sizes(
        redis_bytes=int(stack.redis.client.info("memory")["used_memory"]),
        redis_keys=int(stack.redis.client.dbsize()),
        volume_bytes=sum(path.stat().st_size for path in stack.models_dir.rglob("*")),
        worker_bytes=main.memory_info().rss,
        api_bytes=sum(process.memory_info().rss for process in served),
        open_files=sum(process.num_fds() for process in (main, *served)),
    )


def _fill_with_jobs(stack: Stack) -> None:
    """As many as are kept, so that each job to come takes the place of one."""
    jobs = JobStore(stack.redis.client)
    for _ in range(KEEP_JOBS):
        jobs.cancel(jobs.create(force=False)[0].job_id)


def test_a_days_worth_of_jobs_leaves_nothing_behind(
    stack: Stack, tiny_table: str, times: Times, long: bool, figure: Figure
) -> None:
    runs = times(8, 1000)
    stack.redis.client.set(VERSION, publish(stack.models_dir, roc_auc=0.5))
    _fill_with_jobs(stack)
    worker = stack.start_worker(training_data=tiny_table, keep_versions=str(_KEEP_VERSIONS))
    api = stack.start_api(processes=2)

    def run() -> None:
        job_id = api.run_pipeline()
        wait_for(lambda: api.job(job_id)["finished_at"], seconds=RUN_SECONDS, pause=0.01)
        assert api.job(job_id)["status"] == "succeeded"

    def versions() -> int:
        return len(api.http.get("/models").json()["versions"])

    settled = round(_SETTLED * runs)
    for _ in range(settled):
        run()
    before = _sizes(stack, api, worker)
    for _ in range(runs - settled):
        run()
    after = before

    def nothing_is_left() -> bool:
        nonlocal after
        after = _sizes(stack, api, worker)
        return (
            after.redis_keys <= before.redis_keys + _MORE_KEYS
            and after.open_files <= before.open_files + _MORE_FILES
        )

    # What belongs to the last run may go a moment after its job has ended.
    wait_for(nothing_is_left, why=lambda: f"{before}; {after}")
    figure(f"After {settled:,} runs: {before}.\n\nAfter {runs:,} runs: {after}.")
    # The worker clears away after the job has ended, file by file.
    wait_for(lambda: versions() <= _KEEP_VERSIONS + KEEP_REJECTED_VERSIONS)
    wait_for(lambda: len(list(stack.models_dir.iterdir())) == versions() + len(["current.json"]))
    if long:
        assert after.redis_bytes < _MOST_GROWTH * before.redis_bytes
        assert after.volume_bytes < _MOST_GROWTH * before.volume_bytes
        assert after.worker_bytes < _MOST_GROWTH * before.worker_bytes
        assert after.api_bytes < _MOST_GROWTH * before.api_bytes


@dataclass
class Meanwhile:
    swaps: int = 0
    runs: int = 0


@contextlib.contextmanager
def _swaps_and_training(stack: Stack, api: Api, versions: list[str]) -> Iterator[Meanwhile]:
    """A swap each second and one training run after the other; raises if one of them fails."""
    done, ended = Meanwhile(), threading.Event()

    def swap() -> None:
        while not ended.wait(_SWAP_SECONDS):
            done.swaps += 1
            stack.redis.client.set(VERSION, versions[done.swaps % len(versions)])

    def train() -> None:
        while not ended.is_set():
            job = api.wait_for_end(api.run_pipeline())
            assert job["status"] == "succeeded", job
            done.runs += 1

    with ThreadPoolExecutor(2) as threads:
        going_on = [threads.submit(swap), threads.submit(train)]
        try:
            yield done
        finally:
            ended.set()
        for future in going_on:
            future.result()


def test_load_with_swaps_and_training_fails_no_request(
    stack: Stack, long: bool, figure: Figure
) -> None:
    versions = [publish(stack.models_dir, roc_auc=0.5) for _ in range(2)]
    stack.redis.client.set(VERSION, versions[0])
    # All are kept, so that both can be chosen again to the end.
    stack.start_worker(training_data=TRAINING_DATA, keep_versions="100000")
    if not long:
        api = stack.start_api(processes=2)
        with clients_of(api, 2) as clients, _swaps_and_training(stack, api, versions) as meanwhile:
            # Each client has been answered by both versions, and by one that was trained meanwhile.
            wait_for(
                lambda: (
                    meanwhile.runs >= _SHORT_RUNS
                    and meanwhile.swaps >= _SHORT_SWAPS
                    and all({*versions} < {*client.versions} for client in clients)
                ),
                seconds=_SHORT_RUNS * RUN_SECONDS,
                pause=0.5,
                why=lambda: meanwhile,
            )
        assert [client.failures for client in clients] == [[]] * len(clients)
        assert all({*versions} < {*client.versions} for client in clients)
        return
    with pinned_api(stack) as pinned:
        highest = pinned.highest_rate()
        pause = pinned.pause_for(_SOAK_SHARE * highest)
        with _swaps_and_training(stack, pinned.api, versions) as meanwhile:
            load = pinned.load(_SOAK_SECONDS, pause)
    share = load.requests_per_second / highest
    figure(
        f"{_SOAK_SECONDS / 60:g} minutes, {load.requests:,} requests to one process at "
        f"{load.requests_per_second:,.0f}/s, {100 * share:.0f} % of its highest rate, with "
        f"{meanwhile.swaps:,} swaps and {meanwhile.runs} training runs: 0 errors, p50 "
        f"{load.p50_ms:.1f} ms, p99 {load.p99_ms:.1f} ms, p99.9 {load.p999_ms:.1f} ms"
    )
    assert share > _SOAK_SHARE_AT_LEAST
