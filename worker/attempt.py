"""A run that a worker holds: reports to the job's record, and learns when to stop."""

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
from shared.jobs.job import JobResult, JobStatus, Stage
from shared.jobs.scripts import CANCEL_ASKED, FORCE_ASKED, LOST
from shared.jobs.store import JobStore
from shared.runtime import tracing

_BEAT_SECONDS = 1.0
_LEAVE_SECONDS = 2.0
_RETRY_SECONDS = 1.0

_Answer = TypeVar("_Answer")

log = logging.getLogger(__name__)


class JobRun:
    """One attempt at a job. While it is entered, a thread keeps the heartbeat moving.

    The thread stops the run after `timeout_seconds`, and ends the whole process when the run is
    lost but computes on: a fit in C code cannot be interrupted otherwise.
    """

    def __init__(self, store: JobStore, job_id: str, attempt: int, timeout_seconds: float) -> None:
        self.job_id = job_id
        self.attempt = attempt
        self._store = store
        self._deadline = time.monotonic() + timeout_seconds
        self._too_long = (
            f"the run took longer than {timeout_seconds:g} s, which is what "
            "LIFEBOAT_JOB_TIMEOUT_SECONDS allows"
        )
        self._ended = threading.Event()
        self._lost = False
        # What it logs is about this job, too.
        beat = functools.partial(contextvars.copy_context().run, self._beat)
        self._heart = threading.Thread(target=beat, name=f"heart-{job_id}", daemon=True)

    def __enter__(self) -> "JobRun":
        self._heart.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._heart.join()

    def report(self, stage: Stage, progress: float) -> None:
        """A checkpoint. Raises RunCancelled or RunLost if the run is to end here."""
        if self._lost:
            raise RunLost(self.job_id)
        try:
            answer = self._store.report(self.job_id, self.attempt, stage, progress)
        except redis.RedisError as error:
            # Redis may be restarting; the training need not wait for it.
            log.warning("progress not noted: %s", error)
            return
        self._heed(answer)

    def choose_version(self, proposed: str) -> str:
        name = self._insist(lambda: self._store.choose_version(self.job_id, self.attempt, proposed))
        if not name:
            raise RunLost(self.job_id)
        return name

    def is_forced(self) -> bool:
        return self._insist(lambda: self._store.is_forced(self.job_id))

    def succeed(self, result: JobResult) -> None:
        """The last step: serve the version if it was promoted, end the job, free the run lock."""
        answer = self._insist(lambda: self._store.succeed(self.job_id, self.attempt, result))
        if answer == FORCE_ASKED:
            reason = f"{result.reason}; promoted because force was asked for"
            forced = result.model_copy(update={"outcome": "promoted", "reason": reason})
            answer = self._insist(lambda: self._store.succeed(self.job_id, self.attempt, forced))
        self._heed(answer)

    def fail(self, error: str) -> None:
        self._end(JobStatus.FAILED, error)

    def cancel(self) -> None:
        self._end(JobStatus.CANCELLED, "")

    def _end(self, status: JobStatus, error: str) -> None:
        try:
            self._insist(lambda: self._store.end(self.job_id, self.attempt, status, error))
        except RunLost:
            log.warning("could not be noted as %s", status)

    def _heed(self, answer: int) -> None:
        if answer == LOST:
            raise RunLost(self.job_id)
        if answer == CANCEL_ASKED:
            raise RunCancelled(self.job_id)

    def _insist(self, step: Callable[[], _Answer]) -> _Answer:
        """Repeats a step that the job cannot end without, for as long as the attempt may take."""
        while True:
            try:
                return step()
            except redis.RedisError as error:
                if self._lost or time.monotonic() > self._deadline:
                    raise RunLost(self.job_id) from error
                log.warning("waiting for Redis: %s", error)
                time.sleep(_RETRY_SECONDS)

    def _beat(self) -> None:
        while not self._ended.wait(_BEAT_SECONDS):
            try:
                if time.monotonic() > self._deadline:
                    self._store.end(self.job_id, self.attempt, JobStatus.FAILED, self._too_long)
                self._lost = self._store.beat(self.job_id, self.attempt) == LOST
            except redis.RedisError as error:
                log.warning("no heartbeat: %s", error)
                continue
            if self._lost:
                if not self._ended.wait(_LEAVE_SECONDS):
                    log.warning("no longer this worker's; leaving its work")
                    tracing.stop()
                    os._exit(1)
                return
