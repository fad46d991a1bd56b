"""What log lines are about: noted once, and added to every line from then on.

A thread does not inherit the context of the thread that starts it, unless it is run in a copy of
that context.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
job_id: ContextVar[str | None] = ContextVar("job_id", default=None)
caller: ContextVar[dict[str, str] | None] = ContextVar("caller", default=None)
"""Who made the call that changes something: `client`, and if known `requested_by` and `api_key`."""


@contextmanager
def about_job(job: str) -> Iterator[None]:
    """Add a job's id to the lines logged inside; forget job and request afterwards."""
    job_id.set(job)
    try:
        yield
    finally:
        job_id.set(None)
        request_id.set(None)


def fields(record: logging.LogRecord) -> dict[str, str]:
    """Return what a line is about: by its own `extra`, else by the context."""
    known = {
        "request_id": getattr(record, "request_id", None) or request_id.get(),
        "job_id": getattr(record, "job_id", None) or job_id.get(),
        "model_version": getattr(record, "model_version", None),
        **(caller.get() or {}),
    }
    return {name: str(value) for name, value in known.items() if value}
