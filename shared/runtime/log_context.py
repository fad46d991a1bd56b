"""What the lines of a log are about: noted once, and on every line from there on.

Threads do not take it over from the one that starts them, unless that runs them in a copy of its
context.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
job_id: ContextVar[str | None] = ContextVar("job_id", default=None)


@contextmanager
def about_job(job: str) -> Iterator[None]:
    """For a process that has one job after another: what follows is about none of them."""
    job_id.set(job)
    try:
        yield
    finally:
        job_id.set(None)
        request_id.set(None)


def fields(record: logging.LogRecord) -> dict[str, str]:
    """What is known of a line: by its own `extra`, else by what was noted before."""
    known = {
        "request_id": getattr(record, "request_id", None) or request_id.get(),
        "job_id": getattr(record, "job_id", None) or job_id.get(),
        "model_version": getattr(record, "model_version", None),
    }
    return {name: str(value) for name, value in known.items() if value}
