from datetime import UTC, datetime

import pytest

from shared.jobs.job import JOB_ID_PATTERN, Job, JobStatus, Stage
from tests.support.contract import JOB_FIELDS


def job(status: JobStatus) -> Job:
    return Job(
        job_id="0" * 32,
        status=status,
        stage=None,
        progress=0,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        started_at=None,
        finished_at=None,
        attempts=0,
        worker=None,
        requested_by=None,
        forced=False,
        result=None,
        error=None,
        request_id=None,
    )


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        ("queued", False),
        ("running", False),
        ("succeeded", True),
        ("failed", True),
        ("cancelled", True),
    ],
)
def test_a_job_has_ended_when_it_is_neither_queued_nor_running(status: str, ended: bool) -> None:
    assert job(JobStatus(status)).has_ended is ended


def test_a_job_shows_the_fields_that_clients_rely_on() -> None:
    assert set(job(JobStatus.QUEUED).model_dump(mode="json")) == JOB_FIELDS


def test_the_example_in_the_documentation_is_a_job() -> None:
    example = Job.model_json_schema()["example"]
    assert set(example) == JOB_FIELDS
    assert Job.model_validate(example).status is JobStatus.RUNNING


def test_the_stages_come_in_the_order_of_a_run() -> None:
    assert list(Stage) == ["load", "fit", "evaluate", "plot", "export", "verify", "publish"]


@pytest.mark.parametrize("job_id", ["", "0" * 31, "0" * 33, "A" * 32, "0" * 32 + "\n", "g" * 32])
def test_only_32_hexadecimal_digits_are_a_jobs_id(job_id: str) -> None:
    assert JOB_ID_PATTERN.fullmatch("0123456789abcdef" * 2)
    assert not JOB_ID_PATTERN.fullmatch(job_id)
