"""One attempt at a job: it reports to the job's record, and learns there when to stop."""

import contextvars
import functools
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import redis

from shared.errors import RunCancelled, RunLost
from shared.jobs.attempts import AttemptStore
from shared.jobs.job import JobResult, JobStatus, Stage
from shared.jobs.steps import Hold
from shared.runtime import tracing
from shared.runtime.redis_outage import Outage

_BEAT_SECONDS = 1.0
_LEAVE_SECONDS = 2.0
_RETRY_SECONDS = 1.0

_MOST_CHARACTERS = 2_000
"""Of the error in a job's record, which every list of jobs and every event repeats."""

_Answer = TypeVar("_Answer")

log = logging.getLogger(__name__)


def worker_name(node: str, main_pid: int) -> str:
    """Return the name under which a worker claims jobs.

    Celery's name of a node is by default that of the machine, which two workers may share.
    """
    return f"{node}#{main_pid}"


def shortened(error: str) -> str:
    """Return an error as a job's record may have it: of bounded length, and without controls.

    What an estimator raises may be long (100,000 characters of a model) and hold anything.
    """
    # Redis takes no lone surrogate, and a terminal obeys escapes.
    plain = error.encode(errors="backslashreplace").decode()
    plain = "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in plain)
    left_out = len(plain) - _MOST_CHARACTERS
    if left_out <= 0:
        return plain
    begin, end = plain[: _MOST_CHARACTERS - 400], plain[-400:]
    return f"{begin} [... {left_out:,} characters, which the worker's log has ...] {end}"


class Attempt:
    """One attempt at a job. While it is entered, a thread keeps the heartbeat moving.

    The thread stops the run after `timeout_seconds`. It ends the whole process if the run is lost
    but computes on: a fit in C code cannot be interrupted otherwise.
    """

    def __init__(
        self, store: AttemptStore, job_id: str, number: int, timeout_seconds: float
    ) -> None:
        self.job_id = job_id
        self.number = number
        self._store = store
        self._deadline = time.monotonic() + timeout_seconds
        self._too_long = (
            f"the run took longer than the {timeout_seconds:g} s that "
            "LIFEBOAT_JOB_TIMEOUT_SECONDS allows; raise it, or train on fewer rows"
        )
        self._ended = threading.Event()
        self._lost = False
        self._outage = Outage(log, "the run goes on")
        # In a copy of the context, so that its log lines are about this job, too.
        beat = functools.partial(contextvars.copy_context().run, self._beat)
        self._heart = threading.Thread(target=beat, name=f"heart-{job_id}", daemon=True)

    def __enter__(self) -> "Attempt":
        self._heart.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._heart.join()

    def report(self, stage: Stage, progress: float) -> None:
        """Note the progress; raise RunCancelled or RunLost if the run is to end here."""
        if self._lost:
            raise RunLost(self.job_id)
        try:
            answer = self._store.report(self.job_id, self.number, stage, progress)
        except redis.RedisError as error:
            # Redis may be restarting; the training need not wait for it.
            self._outage.note(error)
            return
        self._outage.end()
        self._heed(answer)

    def choose_version(self, proposed: str) -> str:
        """Return the name to publish under; raise RunLost if the run is lost."""
        name = self._insist(lambda: self._store.choose_version(self.job_id, self.number, proposed))
        if name is None:
            raise RunLost(self.job_id)
        return name

    def is_forced(self) -> bool:
        """Return whether to promote the version whatever the gate decides."""
        return self._insist(lambda: self._store.is_forced(self.job_id))

    def succeed(self, result: JobResult) -> None:
        """Serve the version if it was promoted, end the job, and free the run lock.

        Raises RunCancelled or RunLost if the run is to end otherwise.
        """
        answer = self._insist(lambda: self._store.succeed(self.job_id, self.number, result))
        if answer is Hold.FORCE_ASKED:
            reason = f"{result.reason}; promoted because force was asked for"
            forced = result.model_copy(update={"outcome": "promoted", "reason": reason})
            answer = self._insist(lambda: self._store.succeed(self.job_id, self.number, forced))
        self._heed(answer)

    def fail(self, error: str) -> None:
        """End the job as failed; the watchers see to it if that cannot be noted."""
        self._end(JobStatus.FAILED, shortened(error))

    def cancel(self) -> None:
        """End the job as cancelled; the watchers see to it if that cannot be noted."""
        self._end(JobStatus.CANCELLED, "")

    def _end(self, status: JobStatus, error: str) -> None:
        try:
            self._insist(lambda: self._store.end(self.job_id, self.number, status, error))
        except RunLost:
            log.warning("the job could not be noted as %s", status)

    def _heed(self, answer: Hold) -> None:
        if answer is Hold.LOST:
            raise RunLost(self.job_id)
        if answer is Hold.CANCEL_ASKED:
            raise RunCancelled(self.job_id)

    def _insist(self, step: Callable[[], _Answer]) -> _Answer:
        """Repeat a step that the job cannot end without, until the attempt has no time left."""
        while True:
            try:
                return step()
            except redis.RedisError as error:
                if self._lost or time.monotonic() > self._deadline:
                    raise RunLost(self.job_id) from error
                self._outage.note(error)
                time.sleep(_RETRY_SECONDS)

    def _beat(self) -> None:
        while not self._ended.wait(_BEAT_SECONDS):
            try:
                if time.monotonic() > self._deadline:
                    self._store.end(self.job_id, self.number, JobStatus.FAILED, self._too_long)
                self._lost = self._store.beat(self.job_id, self.number) is Hold.LOST
            except redis.RedisError as error:
                self._outage.note(error)
                continue
            self._outage.end()
            if self._lost:
                if not self._ended.wait(_LEAVE_SECONDS):
                    log.warning("the run is lost and computes on; ending the process")
                    tracing.stop()
                    os._exit(1)
                return
