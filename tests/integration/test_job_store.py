"""The job store's steps against a real server, also when redis-py repeats them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import JobEnded
from shared.jobs import store
from shared.jobs.job import JobResult, JobStatus
from shared.jobs.scripts import HELD
from shared.jobs.store import JobStore, Origin
from shared.runtime import redis_keys
from shared.runtime.redis_keys import job as record_of
from tests.support.processes import RedisServer
from tests.support.versions import metrics

WORKER = "worker#1"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis")
    yield server
    server.end()


@pytest.fixture
def jobs(server: RedisServer) -> JobStore:
    return JobStore(server.client)


@pytest.fixture
def repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call reaches the server twice, and the second answer is the one that arrives."""
    once = JobStore._run

    def twice(self: JobStore, script: str, *args: str, **options: object) -> object:
        once(self, script, *args, **options)  # type: ignore[arg-type]
        return once(self, script, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(JobStore, "_run", twice)


@pytest.fixture
def job_id(jobs: JobStore) -> str:
    job, is_new = jobs.create(force=False)
    assert is_new
    return job.job_id


@pytest.mark.usefixtures("repeated")
def test_a_repeated_creation_makes_one_new_job(jobs: JobStore) -> None:
    job, is_new = jobs.create(force=False)
    assert is_new
    assert [found.job_id for found in jobs.recent(10)] == [job.job_id]


def test_a_record_keeps_who_asked_first_and_whether_anybody_by_force(jobs: JobStore) -> None:
    jobs.create(force=False, origin=Origin("ada"))
    job, is_new = jobs.create(force=True, origin=Origin("page"))
    assert (is_new, job.requested_by, job.forced, job.worker) == (False, "ada", True, None)
    assert jobs.claim(job.job_id, WORKER) == 1
    assert jobs.get(job.job_id).worker == WORKER
    jobs.release(WORKER)
    assert jobs.get(job.job_id).worker is None


@pytest.mark.usefixtures("repeated")
def test_a_repeated_claim_is_one_attempt(jobs: JobStore, job_id: str) -> None:
    assert jobs.claim(job_id, WORKER) == 1
    assert jobs.get(job_id).attempts == 1


def test_a_second_claim_of_the_same_worker_is_no_repetition(jobs: JobStore, job_id: str) -> None:
    assert jobs.claim(job_id, WORKER) == 1
    assert jobs.claim(job_id, WORKER) is None
    assert jobs.release(WORKER) == job_id
    assert jobs.claim(job_id, WORKER) == 2


def test_a_claim_that_arrives_late_takes_nothing_from_the_next_attempt(
    jobs: JobStore, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_call", lambda: "first")
    assert jobs.claim(job_id, WORKER) == 1
    jobs.release(WORKER)
    monkeypatch.setattr(store, "_call", lambda: "second")
    assert jobs.claim(job_id, "worker#2") == 2
    monkeypatch.setattr(store, "_call", lambda: "first")
    assert jobs.claim(job_id, WORKER) is None


@pytest.mark.usefixtures("repeated")
def test_a_repeated_cancel_of_a_queued_job_is_no_conflict(jobs: JobStore, job_id: str) -> None:
    assert jobs.cancel(job_id).status is JobStatus.CANCELLED


def test_a_second_cancel_is_told_that_the_job_has_ended(jobs: JobStore, job_id: str) -> None:
    jobs.cancel(job_id)
    with pytest.raises(JobEnded):
        jobs.cancel(job_id)


@pytest.mark.parametrize(
    ("status", "unwanted"),
    [(JobStatus.FAILED, True), (JobStatus.CANCELLED, True), (None, False)],
)
def test_the_version_of_a_job_that_came_to_nothing_is_unwanted(
    jobs: JobStore, job_id: str, status: JobStatus | None, unwanted: bool
) -> None:
    assert jobs.claim(job_id, WORKER) == 1
    version = jobs.choose_version(job_id, 1, "20260102-030405-abcdef")
    if status is not None:
        jobs.end(job_id, 1, status, "why")
    assert jobs.unwanted_versions() == ({version} if unwanted else set())


def test_a_job_that_chose_no_version_leaves_none(jobs: JobStore, job_id: str) -> None:
    jobs.cancel(job_id)
    assert jobs.unwanted_versions() == set()


def test_a_job_of_an_earlier_release_can_be_claimed_and_cancelled(
    server: RedisServer, jobs: JobStore, job_id: str
) -> None:
    server.client.hdel(record_of(job_id), "last_call", "requested_by")
    assert jobs.claim(job_id, WORKER) == 1
    assert jobs.cancel(job_id).status is JobStatus.RUNNING


# --- what `/metrics` shows of jobs ---------------------------------------------------------------


def _result(outcome: str) -> JobResult:
    return JobResult.model_validate(
        {
            "outcome": outcome,
            "reason": "a test",
            "model_version": "20260102-030405-abcdef",
            "metrics": metrics(),
        }
    )


def _end(jobs: JobStore, job_id: str, outcome: str) -> None:
    match outcome:
        case "promoted" | "rejected":
            assert jobs.succeed(job_id, 1, _result(outcome)) == HELD
        case "failed":
            jobs.end(job_id, 1, JobStatus.FAILED, "why")
        case "cancelled":
            jobs.end(job_id, 1, JobStatus.CANCELLED, "")


def _ended(jobs: JobStore) -> dict[str, int]:
    """Outcome -> the number of jobs, where there are any."""
    durations = jobs.statistics().durations
    return {outcome: each.count for outcome, each in durations.items() if each.count}


@pytest.mark.usefixtures("repeated")
@pytest.mark.parametrize("outcome", ["promoted", "rejected", "failed", "cancelled"])
def test_a_job_is_counted_once_by_how_it_ended(jobs: JobStore, job_id: str, outcome: str) -> None:
    assert jobs.claim(job_id, WORKER) == 1
    assert _ended(jobs) == {}
    _end(jobs, job_id, outcome)
    assert _ended(jobs) == {outcome: 1}


def test_the_duration_of_a_job_is_from_its_first_start_to_its_end(
    server: RedisServer, jobs: JobStore, job_id: str
) -> None:
    assert jobs.claim(job_id, WORKER) == 1
    started = float(server.client.hget(record_of(job_id), "started_seconds") or "nan")
    server.client.hset(record_of(job_id), "started_seconds", str(started - 100))
    assert jobs.release(WORKER) == job_id
    assert jobs.claim(job_id, WORKER) == 2
    jobs.end(job_id, 2, JobStatus.FAILED, "why")
    failed = jobs.statistics().durations["failed"]
    assert 100 <= failed.seconds < 300
    assert (failed.at_most[60], failed.at_most[300], failed.count) == (0, 1, 1)


@pytest.mark.parametrize("started", ["99999999999", None])
def test_a_clock_set_back_or_a_job_of_an_earlier_release_counts_as_no_time(
    server: RedisServer, jobs: JobStore, job_id: str, started: str | None
) -> None:
    assert jobs.claim(job_id, WORKER) == 1
    if started is None:
        server.client.hdel(record_of(job_id), "started_seconds")
    else:
        server.client.hset(record_of(job_id), "started_seconds", started)
    jobs.end(job_id, 1, JobStatus.FAILED, "why")
    failed = jobs.statistics().durations["failed"]
    assert (failed.seconds, failed.at_most[1], failed.count) == (0, 1, 1)


@pytest.mark.usefixtures("repeated")
def test_a_job_that_was_cancelled_while_it_waited_took_no_time(jobs: JobStore, job_id: str) -> None:
    assert jobs.statistics().queued == 1
    jobs.cancel(job_id)
    statistics = jobs.statistics()
    assert statistics.queued == 0
    cancelled = statistics.durations["cancelled"]
    assert (cancelled.count, cancelled.at_most[1], cancelled.seconds) == (1, 1, 0)


def test_a_job_whose_worker_died_too_often_is_counted_as_failed(
    jobs: JobStore, job_id: str
) -> None:
    for attempt in range(1, store.MAX_DEATHS + 1):
        assert _ended(jobs) == {}
        assert jobs.claim(job_id, WORKER) == attempt
        assert jobs.statistics().queued == 0
        pulse = jobs.pulse()
        assert pulse is not None and jobs.bury(pulse) is not None
    assert _ended(jobs) == {"failed": 1}


def test_an_emptied_redis_counts_from_nothing(
    server: RedisServer, jobs: JobStore, job_id: str
) -> None:
    jobs.cancel(job_id)
    assert server.client.hlen(redis_keys.JOB_DURATIONS) == 2
    server.client.flushall()
    assert _ended(jobs) == {}
    assert jobs.statistics().queued == 0
