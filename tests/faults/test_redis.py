"""Redis is killed, emptied or frozen: predictions go on, and so do the jobs that it remembers."""

import contextlib
import re
import statistics
import time
from collections.abc import Iterator

import pytest

from benchmarks import wrk
from shared.jobs.job import Stage
from shared.jobs.watch import DEAD_AFTER_SECONDS
from shared.runtime.redis_keys import VERSION
from tests.faults.conftest import Figure, Times, assert_done_once, versions_of
from tests.support.connections import clients_of, to_each_process
from tests.support.held_runs import HeldRuns
from tests.support.patience import within_the_contracts_time
from tests.support.pinned import pinned_api
from tests.support.processes import RUN_SECONDS, Api, Stack, wait_for
from tests.support.versions import publish

_ROUNDS = 3
_LOAD_SECONDS = 10
_MOST_SLOWER = 1.2


def _run_held_in_evaluate(api: Api, held_runs: HeldRuns) -> str:
    held_runs.hold_at(Stage.EVALUATE)
    job_id = api.run_pipeline()
    wait_for(held_runs.is_any_held, seconds=RUN_SECONDS)
    return job_id


@pytest.mark.parametrize("end", [pytest.param("stop", marks=pytest.mark.thorough), "kill"])
def test_redis_restarted_with_its_data_in_a_run_ends_the_job_once(
    with_model: Stack, held_runs: HeldRuns, end: str
) -> None:
    api = with_model.start_api()
    with_model.start_worker()
    before = api.version()
    job_id = _run_held_in_evaluate(api, held_runs)
    with clients_of(api, 1) as (client,):
        getattr(with_model.redis, end)()
        with_model.redis.start()
        held_runs.let_go()
        assert_done_once(with_model, api, job_id, attempts=1)
    assert client.failures == []
    assert set(client.versions) <= {before, api.version()}


@pytest.mark.thorough
def test_redis_emptied_in_a_run_loses_the_job_and_nothing_else(
    with_model: Stack, held_runs: HeldRuns
) -> None:
    api = with_model.start_api(processes=2)
    worker = with_model.start_worker()
    # Rolled back: what was chosen is not the newest.
    chosen = api.version()
    newer = publish(with_model.models_dir)
    for version in (newer, chosen):
        api.http.put("/models/current", json={"model_version": version}).raise_for_status()
        wait_for(lambda v=version: api.version() == v)  # type: ignore[misc]
    with to_each_process(api, 2) as found:
        # Both have swapped back before what the clients are answered counts.
        wait_for(lambda: all(connection.version() == chosen for connection in found.values()))
    job_id = _run_held_in_evaluate(api, held_runs)
    with clients_of(api, 4) as clients:
        wait_for(lambda: all(client.answers for client in clients))
        with_model.redis.kill()
        with_model.redis.forget()
        held_runs.let_go()
        with_model.redis.start()
        wait_for(lambda: with_model.redis.client.get(VERSION) == chosen)
        # Noticed at a checkpoint; or between two, when its heart ends the process.
        given_up = re.compile("dropped|leaving its work")
        wait_for(lambda: given_up.search(worker.output()), seconds=RUN_SECONDS)
        assert api.http.get(f"/jobs/{job_id}").status_code == 404
        assert versions_of(with_model, job_id) == []
    assert [client.failures for client in clients] == [[]] * len(clients)
    assert {version for client in clients for version in client.versions} == {chosen}
    assert with_model.redis.client.get(VERSION) == chosen
    assert_done_once(with_model, api, api.run_pipeline(force=True), attempts=1)


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


def _assert_says_that_redis_is_away(api: Api, job_id: str, version: str | None, tries: int) -> None:
    for method, path, body in _calls(job_id, version):

        def refused(method: str = method, path: str = path, body: object = body) -> None:
            answer = api.http.request(method, path, json=body)
            assert (method, path, answer.status_code) == (method, path, 503)
            assert answer.headers["Retry-After"]
            assert "Redis" in answer.json()["detail"]

        within_the_contracts_time(refused, tries=tries)


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


@pytest.mark.thorough
def test_redis_frozen_in_a_run_is_said_at_once_and_nobody_is_taken_for_dead(
    with_model: Stack, held_runs: HeldRuns, times: Times
) -> None:
    api = with_model.start_api(processes=2)
    with_model.start_worker()
    before = api.version()
    job_id = _run_held_in_evaluate(api, held_runs)
    with clients_of(api, 2) as clients:
        with _frozen(with_model, seconds=times(int(DEAD_AFTER_SECONDS) + 2, 30)):
            _assert_says_that_redis_is_away(api, job_id, before, times(5, 1))
        held_runs.let_go()
        assert_done_once(with_model, api, job_id, attempts=1)
    assert with_model.redis.client.hget(f"lifeboat:job:{job_id}", "deaths") == "0"
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
