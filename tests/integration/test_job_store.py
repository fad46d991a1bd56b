"""The job store's steps against a real server, also when redis-py repeats them."""

from datetime import datetime
from typing import Any

import pytest
from redis.commands.core import Script

from shared.errors import JobEnded, JobNotFound
from shared.jobs import steps
from shared.jobs.attempts import AttemptStore
from shared.jobs.job import JobResult, JobStatus, Stage
from shared.jobs.steps import Hold
from shared.jobs.store import MAX_DEATHS, JobStore, Origin
from shared.runtime import redis_keys
from shared.runtime.redis_keys import job as record_of
from tests.support.processes import RedisServer
from tests.support.versions import metrics

WORKER = "worker#1"


@pytest.fixture
def jobs(server: RedisServer) -> JobStore:
    return JobStore(server.client)


@pytest.fixture
def attempts(server: RedisServer) -> AttemptStore:
    return AttemptStore(server.client)


@pytest.fixture
def repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call reaches the server twice, and the second answer is the one that arrives."""
    once = Script.__call__

    def twice(self: Script, **call: Any) -> object:
        once(self, **call)
        return once(self, **call)

    monkeypatch.setattr(Script, "__call__", twice)


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


def test_a_record_keeps_who_asked_first_and_whether_anybody_by_force(
    jobs: JobStore, attempts: AttemptStore
) -> None:
    jobs.create(force=False, origin=Origin("ada"))
    job, is_new = jobs.create(force=True, origin=Origin("page"))
    assert (is_new, job.requested_by, job.forced, job.worker) == (False, "ada", True, None)
    assert attempts.claim(job.job_id, WORKER) == 1
    assert jobs.get(job.job_id).worker == WORKER
    attempts.release(WORKER)
    assert jobs.get(job.job_id).worker is None


@pytest.mark.usefixtures("repeated")
def test_a_repeated_claim_is_one_attempt(
    jobs: JobStore, attempts: AttemptStore, job_id: str
) -> None:
    assert attempts.claim(job_id, WORKER) == 1
    assert jobs.get(job_id).attempts == 1


def test_a_second_claim_of_the_same_worker_is_no_repetition(
    attempts: AttemptStore, job_id: str
) -> None:
    assert attempts.claim(job_id, WORKER) == 1
    assert attempts.claim(job_id, WORKER) is None
    assert attempts.release(WORKER) == job_id
    assert attempts.claim(job_id, WORKER) == 2


def test_a_claim_that_arrives_late_takes_nothing_from_the_next_attempt(
    attempts: AttemptStore, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "_call_id", lambda: "first")
    assert attempts.claim(job_id, WORKER) == 1
    attempts.release(WORKER)
    monkeypatch.setattr(steps, "_call_id", lambda: "second")
    assert attempts.claim(job_id, "worker#2") == 2
    monkeypatch.setattr(steps, "_call_id", lambda: "first")
    assert attempts.claim(job_id, WORKER) is None


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
    attempts: AttemptStore, job_id: str, status: JobStatus | None, unwanted: bool
) -> None:
    assert attempts.claim(job_id, WORKER) == 1
    version = attempts.choose_version(job_id, 1, "20260102-030405-abcdef")
    if status is not None:
        attempts.end(job_id, 1, status, "why")
    assert attempts.unwanted_versions() == ({version} if unwanted else set())


def test_a_job_that_chose_no_version_leaves_none(
    jobs: JobStore, attempts: AttemptStore, job_id: str
) -> None:
    jobs.cancel(job_id)
    assert attempts.unwanted_versions() == set()


def test_a_job_of_an_earlier_release_can_be_claimed_and_cancelled(
    server: RedisServer, jobs: JobStore, attempts: AttemptStore, job_id: str
) -> None:
    server.client.hdel(record_of(job_id), "last_call", "requested_by")
    assert attempts.claim(job_id, WORKER) == 1
    assert jobs.cancel(job_id).status is JobStatus.RUNNING


def test_an_attempt_is_told_whether_it_holds_the_run(
    jobs: JobStore, attempts: AttemptStore, job_id: str
) -> None:
    assert attempts.claim(job_id, WORKER) == 1
    assert attempts.beat(job_id, 1) is Hold.HELD
    assert attempts.report(job_id, 1, Stage.FIT, 0.05) is Hold.HELD
    assert attempts.beat(job_id, 2) is Hold.LOST
    jobs.create(force=True)
    assert attempts.succeed(job_id, 1, _result("rejected")) is Hold.FORCE_ASKED
    jobs.cancel(job_id)
    assert attempts.beat(job_id, 1) is Hold.CANCEL_ASKED
    assert attempts.report(job_id, 1, Stage.FIT, 0.1) is Hold.CANCEL_ASKED
    assert attempts.succeed(job_id, 1, _result("promoted")) is Hold.CANCEL_ASKED
    assert attempts.end(job_id, 1, JobStatus.CANCELLED, "") is Hold.HELD
    assert attempts.end(job_id, 1, JobStatus.FAILED, "why") is Hold.LOST
    assert attempts.report(job_id, 1, Stage.FIT, 0.2) is Hold.LOST
    assert attempts.choose_version(job_id, 1, "20260102-030405-abcdef") is None
    assert attempts.succeed(job_id, 1, _result("promoted")) is Hold.LOST
    assert jobs.get(job_id).status is JobStatus.CANCELLED


def test_a_new_record_has_the_fields_that_every_release_reads(
    server: RedisServer, jobs: JobStore
) -> None:
    job, _ = jobs.create(force=True, origin=Origin("ada", "asked", "00-1-2-01"))
    record: Any = server.client.hgetall(record_of(job.job_id))
    created = record.pop("created_at")
    assert datetime.fromisoformat(created) == job.created_at
    assert record == {
        "job_id": job.job_id,
        "status": "queued",
        "progress": "0",
        "force": "1",
        "requested_by": "ada",
        "request_id": "asked",
        "traceparent": "00-1-2-01",
        **dict.fromkeys(["attempts", "deaths", "heartbeat", "cancel_requested"], "0"),
        **dict.fromkeys(["stage", "started_at", "finished_at", "result", "error"], ""),
        **dict.fromkeys(["worker", "model_version", "last_call"], ""),
    }


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        ("größer \u2264 \U0001f6df", None),
        ('"quoted" \\ \t\n', None),
        ("nothing\0more", None),
        # The name of a file that is no UTF-8, as Python has it.
        ("caf\udce9.csv", "caf?.csv"),
    ],
)
def test_an_error_of_any_characters_is_kept(
    jobs: JobStore, attempts: AttemptStore, job_id: str, error: str, kept: str | None
) -> None:
    assert attempts.claim(job_id, WORKER) == 1
    assert attempts.end(job_id, 1, JobStatus.FAILED, error) is Hold.HELD
    assert jobs.get(job_id).error == (kept or error)


# --- what somebody else has written under these keys ----------------------------------------------


def _spoil(server: RedisServer, key: str) -> None:
    """Put another type of value under a key."""
    server.client.delete(key)
    server.client.lpush(key, "garbage") if key == redis_keys.VERSION else server.client.set(
        key, "garbage"
    )


@pytest.mark.parametrize("outcome", ["promoted", "rejected", "failed", "cancelled"])
def test_no_bookkeeping_keeps_a_run_from_its_end(
    server: RedisServer, jobs: JobStore, attempts: AttemptStore, job_id: str, outcome: str
) -> None:
    assert attempts.claim(job_id, WORKER) == 1
    for key in (redis_keys.JOB_DURATIONS, redis_keys.events(job_id), redis_keys.JOBS):
        _spoil(server, key)
    _spoil(server, redis_keys.VERSION)
    _end(attempts, job_id, outcome)
    ended = jobs.get(job_id)
    assert ended.has_ended and ended.finished_at is not None
    served = server.client.type(redis_keys.VERSION) == "string"
    assert served is (outcome == "promoted")
    assert server.client.get(redis_keys.ACTIVE_JOB) is None
    # What is bookkeeping is written anew.
    assert _ended(jobs) == {outcome: 1}
    assert [job.status for _, job in jobs.changes(job_id, "0")] == [ended.status]
    new, is_new = jobs.create(force=False)
    assert is_new and [job.job_id for job in jobs.recent(10)] == [new.job_id]


def test_statistics_that_are_no_numbers_count_from_nothing(
    server: RedisServer, jobs: JobStore, attempts: AttemptStore, job_id: str
) -> None:
    server.client.hset(redis_keys.JOB_DURATIONS, mapping={"failed:1": "many", "failed:sum": "long"})
    server.client.hset(
        redis_keys.JOB_DURATIONS, mapping={"promoted:1": "-3", "promoted:sum": "nan"}
    )
    assert _ended(jobs) == {}
    assert attempts.claim(job_id, WORKER) == 1
    attempts.end(job_id, 1, JobStatus.FAILED, "why")
    failed = jobs.statistics().durations["failed"]
    assert (failed.count, failed.at_most[1]) == (1, 1) and 0 <= failed.seconds < 60


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({"status": "garbage"}, "status"),
        ({"progress": "most"}, "progress"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"attempts": "x" * 100}, "attempts"),
        ({"result": "{"}, ""),
        ({"error": "x" * 1_000_000}, "error is longer"),
        (None, "string, and not a hash"),
    ],
)
def test_a_broken_record_alone_is_left_out_and_named_once(
    server: RedisServer,
    jobs: JobStore,
    caplog: pytest.LogCaptureFixture,
    spoilt: dict[str, str] | None,
    said: str,
) -> None:
    good, _ = jobs.create(force=False)
    jobs.cancel(good.job_id)
    broken, _ = jobs.create(force=False)
    if spoilt is None:
        _spoil(server, record_of(broken.job_id))
    else:
        for field, value in spoilt.items():
            server.client.hset(record_of(broken.job_id), field, value)
    server.client.lpush(redis_keys.JOBS, "x" * 1_000_000, "no id")
    for _ in range(2):
        assert [job.job_id for job in jobs.recent(10)] == [good.job_id]
    (named,) = caplog.records
    assert named.__dict__["job_id"] == broken.job_id
    assert said in named.message and len(named.message) < 500
    with pytest.raises(JobNotFound, match="cannot be read"):
        jobs.get(broken.job_id)


@pytest.mark.parametrize("field", ["status", "attempts", "heartbeat", "deaths", None])
def test_an_active_job_whose_record_is_broken_makes_room_for_the_next(
    server: RedisServer, jobs: JobStore, attempts: AttemptStore, job_id: str, field: str | None
) -> None:
    assert attempts.claim(job_id, WORKER) == 1
    if field is None:
        _spoil(server, record_of(job_id))
    else:
        server.client.hset(record_of(job_id), field, "garbage")
    jobs.pulse(), jobs.statistics(), attempts.unwanted_versions()
    new, is_new = jobs.create(force=False)
    assert is_new and new.job_id != job_id
    assert attempts.claim(new.job_id, WORKER) == 1
    assert attempts.beat(job_id, 1) is Hold.LOST


@pytest.mark.parametrize("pointer", ["garbage", "0" * 32, None])
def test_a_pointer_to_no_job_stops_nobody(
    server: RedisServer,
    jobs: JobStore,
    attempts: AttemptStore,
    job_id: str,
    pointer: str | None,
) -> None:
    server.client.delete(redis_keys.ACTIVE_JOB)
    if pointer is None:
        server.client.lpush(redis_keys.ACTIVE_JOB, "garbage")
    else:
        server.client.set(redis_keys.ACTIVE_JOB, pointer)
    assert jobs.pulse() is None and attempts.release(WORKER) is None
    assert attempts.claim(job_id, WORKER) == 1
    assert server.client.get(redis_keys.ACTIVE_JOB) == job_id


# --- a run that was asked to stop -----------------------------------------------------------------


@pytest.mark.usefixtures("repeated")
def test_a_run_that_was_asked_to_stop_makes_room_for_a_new_one(
    jobs: JobStore, attempts: AttemptStore, job_id: str
) -> None:
    assert attempts.claim(job_id, WORKER) == 1
    assert jobs.cancel(job_id).status is JobStatus.RUNNING
    new, is_new = jobs.create(force=False)
    assert is_new and new.job_id != job_id
    assert jobs.get(job_id).status is JobStatus.CANCELLED
    assert [job.status for _, job in jobs.changes(job_id, "0")][-1] is JobStatus.CANCELLED
    assert attempts.beat(job_id, 1) is Hold.LOST
    assert attempts.claim(new.job_id, WORKER) == 1
    # The attempt that has lost its run changes nothing of the new one.
    assert attempts.end(job_id, 1, JobStatus.CANCELLED, "") is Hold.LOST
    assert attempts.beat(new.job_id, 1) is Hold.HELD
    assert _ended(jobs) == {"cancelled": 1}


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


def _end(attempts: AttemptStore, job_id: str, outcome: str) -> None:
    match outcome:
        case "promoted" | "rejected":
            assert attempts.succeed(job_id, 1, _result(outcome)) is Hold.HELD
        case "failed":
            attempts.end(job_id, 1, JobStatus.FAILED, "why")
        case "cancelled":
            attempts.end(job_id, 1, JobStatus.CANCELLED, "")


def _ended(jobs: JobStore) -> dict[str, int]:
    """Outcome -> the number of jobs, where there are any."""
    durations = jobs.statistics().durations
    return {outcome: each.count for outcome, each in durations.items() if each.count}


@pytest.mark.usefixtures("repeated")
@pytest.mark.parametrize("outcome", ["promoted", "rejected", "failed", "cancelled"])
def test_a_job_is_counted_once_by_how_it_ended(
    jobs: JobStore, attempts: AttemptStore, job_id: str, outcome: str
) -> None:
    assert attempts.claim(job_id, WORKER) == 1
    assert _ended(jobs) == {}
    _end(attempts, job_id, outcome)
    assert _ended(jobs) == {outcome: 1}


def test_the_duration_of_a_job_is_from_its_first_start_to_its_end(
    server: RedisServer, jobs: JobStore, attempts: AttemptStore, job_id: str
) -> None:
    assert attempts.claim(job_id, WORKER) == 1
    started = float(server.client.hget(record_of(job_id), "started_seconds") or "nan")
    server.client.hset(record_of(job_id), "started_seconds", str(started - 100))
    assert attempts.release(WORKER) == job_id
    assert attempts.claim(job_id, WORKER) == 2
    attempts.end(job_id, 2, JobStatus.FAILED, "why")
    failed = jobs.statistics().durations["failed"]
    assert 100 <= failed.seconds < 300
    assert (failed.at_most[60], failed.at_most[300], failed.count) == (0, 1, 1)


@pytest.mark.parametrize("started", ["99999999999", None])
def test_a_clock_set_back_or_a_job_of_an_earlier_release_counts_as_no_time(
    server: RedisServer, jobs: JobStore, attempts: AttemptStore, job_id: str, started: str | None
) -> None:
    assert attempts.claim(job_id, WORKER) == 1
    if started is None:
        server.client.hdel(record_of(job_id), "started_seconds")
    else:
        server.client.hset(record_of(job_id), "started_seconds", started)
    attempts.end(job_id, 1, JobStatus.FAILED, "why")
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
    jobs: JobStore, attempts: AttemptStore, job_id: str
) -> None:
    for attempt in range(1, MAX_DEATHS + 1):
        assert _ended(jobs) == {}
        assert attempts.claim(job_id, WORKER) == attempt
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


def test_the_oldest_jobs_go_with_all_their_keys(
    jobs: JobStore, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.jobs.store.KEEP_JOBS", 3)
    made = []
    for _ in range(5):
        job, _ = jobs.create(force=False)
        jobs.cancel(job.job_id)
        made.append(job.job_id)
    assert [job.job_id for job in jobs.recent(10)] == made[:1:-1]
    keys = " ".join(map(str, server.client.scan_iter()))
    assert [job for job in made if job in keys] == made[2:]
