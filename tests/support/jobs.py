"""Records of jobs, as the API answers them."""

from shared.jobs.job import Job
from tests.support.versions import JOB_ID

_STARTED = "2026-11-25T00:00:00Z"


def job(**fields: object) -> Job:
    """A job in its first run, with `fields` instead."""
    running = {
        "job_id": JOB_ID,
        "status": "running",
        "stage": "fit",
        "progress": 0.05,
        "attempts": 1,
        "worker": None,
        "requested_by": None,
        "forced": False,
        "request_id": None,
        "created_at": _STARTED,
        "started_at": _STARTED,
        "finished_at": None,
        "result": None,
        "error": None,
    }
    return Job.model_validate(running | fields)
