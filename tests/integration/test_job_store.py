"""The job store's steps against a real server, also when redis-py repeats them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import job_store
from shared.errors import JobEnded
from shared.job import JobStatus
from shared.job_store import JobStore
from shared.redis_keys import job as record_of
from tests.processes import RedisServer

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
    jobs.create(force=False, requested_by="ada")
    job, is_new = jobs.create(force=True, requested_by="page")
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
    monkeypatch.setattr(job_store, "_call", lambda: "first")
    assert jobs.claim(job_id, WORKER) == 1
    jobs.release(WORKER)
    monkeypatch.setattr(job_store, "_call", lambda: "second")
    assert jobs.claim(job_id, "worker#2") == 2
    monkeypatch.setattr(job_store, "_call", lambda: "first")
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
