"""Redis is killed, emptied or frozen: predictions go on, and so do the jobs that it remembers."""

import contextlib
import statistics
import time
from collections.abc import Iterator

import httpx2 as httpx
import pytest

from benchmarks import wrk
from shared.jobs.watch import DEAD_AFTER_SECONDS
from shared.runtime.redis_keys import VERSION
from tests.faults.conftest import Figure, Times, assert_done_once, versions_of
from tests.support.connections import clients_of
from tests.support.pinned import pinned_api
from tests.support.processes import Api, Stack, wait_for
from tests.support.versions import publish

_ANSWER_SECONDS = 3.0
"""Within which every call that needs Redis says that it is away."""
_ROUNDS = 3
_LOAD_SECONDS = 10
_MOST_SLOWER = 1.2


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_redis_restarted_with_its_data_in_a_run_ends_the_job_once(slow: Stack, end: str) -> None:
    api = slow.start_api()
    slow.start_worker()
    before = api.version()
    job_id = api.run_pipeline()
    api.wait_for_stage(job_id, "evaluate")
    with clients_of(api, 1) as (client,):
        getattr(slow.redis, end)()
        slow.redis.start()
        assert_done_once(slow, api, job_id, attempts=1)
    assert client.failures == []
    assert set(client.versions) <= {before, api.version()}


def test_redis_emptied_in_a_run_loses_the_job_and_nothing_else(slow: Stack) -> None:
    api = slow.start_api(processes=2)
    worker = slow.start_worker()
    # Rolled back: what was chosen is not the newest.
    chosen = api.version()
    newer = publish(slow.models_dir)
    for version in (newer, chosen):
        api.http.put("/models/current", json={"model_version": version}).raise_for_status()
        wait_for(lambda v=version: api.version() == v)  # type: ignore[misc]
    job_id = api.run_pipeline()
    api.wait_for_stage(job_id, "evaluate")
    with clients_of(api, 4) as clients:
        # All have swapped back before what they are answered counts.
        wait_for(lambda: all(client.answers for client in clients))
        slow.redis.kill()
        slow.redis.forget()
        slow.redis.start()
        wait_for(lambda: slow.redis.client.get(VERSION) == chosen)
        wait_for(lambda: "dropped" in worker.output())
        assert api.http.get(f"/jobs/{job_id}").status_code == 404
        assert versions_of(slow, job_id) == []
    assert [client.failures for client in clients] == [[]] * len(clients)
    assert {version for client in clients for version in client.versions} == {chosen}
    assert slow.redis.client.get(VERSION) == chosen
    assert_done_once(slow, api, api.run_pipeline(force=True), attempts=1)


def _calls(job_id: str, version: str | None) -> list[tuple[str, str, dict[str, object] | None]]:
    """None of them changes anything, as Redis may yet heed them when it thaws."""
    return [
        ("PUT", "/run-pipeline", None),
        ("GET", "/jobs", None),
        ("GET", "/processes", None),
        ("GET", f"/jobs/{job_id}", None),
        ("DELETE", f"/jobs/{'0' * 32}", None),
        ("PUT", "/models/current", {"model_version": version}),
    ]


def _assert_says_that_redis_is_away(api: Api, job_id: str, version: str | None) -> None:
    # httpx's time limit is one for each step of a call, of which waiting for the answer is one.
    with httpx.Client(base_url=api.url, timeout=_ANSWER_SECONDS, verify=False) as http:
        for method, path, body in _calls(job_id, version):
            answer = http.request(method, path, json=body)
            assert (method, path, answer.status_code) == (method, path, 503)
            assert answer.headers["Retry-After"]
            assert "Redis" in answer.json()["detail"]


@contextlib.contextmanager
def _frozen(stack: Stack, *, seconds: float) -> Iterator[None]:
    """What is done within comes first; the server stays frozen for `seconds` in all."""
    stack.redis.freeze()
    thaw_at = time.monotonic() + seconds
    try:
        yield
        time.sleep(max(0.0, thaw_at - time.monotonic()))
    finally:
        stack.redis.thaw()


def test_redis_frozen_in_a_run_is_said_at_once_and_nobody_is_taken_for_dead(
    slow: Stack, times: Times
) -> None:
    api = slow.start_api(processes=2)
    slow.start_worker()
    before = api.version()
    job_id = api.run_pipeline()
    api.wait_for_stage(job_id, "evaluate")
    with clients_of(api, 2) as clients:
        with _frozen(slow, seconds=times(int(DEAD_AFTER_SECONDS) + 2, 30)):
            _assert_says_that_redis_is_away(api, job_id, before)
        assert_done_once(slow, api, job_id, attempts=1)
    assert slow.redis.client.hget(f"lifeboat:job:{job_id}", "deaths") == "0"
    assert [client.failures for client in clients] == [[]] * len(clients)


def test_a_frozen_redis_slows_no_prediction(stack: Stack, only_long: None, figure: Figure) -> None:
    stack.redis.client.set(VERSION, publish(stack.models_dir))
    loads: dict[str, list[wrk.Load]] = {
        "quiet": [],
        "frozen": [],
        "steady": [],
        "steady frozen": [],
    }
    with pinned_api(stack) as api:
        pause = api.pause_for(api.highest_rate() / 2)
        for _ in range(_ROUNDS):
            loads["quiet"].append(api.load(_LOAD_SECONDS))
            loads["steady"].append(api.load(_LOAD_SECONDS, pause))
            with _frozen(stack, seconds=30):
                loads["frozen"].append(api.load(_LOAD_SECONDS))
                loads["steady frozen"].append(api.load(_LOAD_SECONDS, pause))
    rate, rate_frozen = (
        statistics.median(load.requests_per_second for load in loads[what])
        for what in ("quiet", "frozen")
    )
    p99, p99_frozen = (
        statistics.median(load.p99_ms for load in loads[what])
        for what in ("steady", "steady frozen")
    )
    figure(
        f"highest rate {rate:,.0f} requests/s before, {rate_frozen:,.0f} with Redis frozen; p99 at "
        f"half of it {p99:.1f} ms and {p99_frozen:.1f} ms (medians of {_ROUNDS} rounds, one of "
        f"each in turn, each freeze 30 s)"
    )
    assert rate_frozen > rate / _MOST_SLOWER
    assert p99_frozen < p99 * _MOST_SLOWER
