"""The steps of a job's life: each changes a record in Redis as a whole, or not at all.

A step is a Lua script, `scripts/<step>.lua`, behind `scripts/prelude.lua`. The comment at the head
of each script lists what it is given and what it answers.

redis-py repeats a call whose answer was lost with the connection, and Redis may have done the first
one already. Each call therefore carries a random id, `call`. A claim or a cancel keeps the id in
the record (`last_call`), recognises its own repetition, and answers as it answered before.
"""

import json
import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

import redis
from redis.commands.core import Script

from shared.jobs.durations import BOUNDS
from shared.runtime import lua, redis_keys

Step = Literal[
    "create",
    "read",
    "claim",
    "beat",
    "report",
    "choose_version",
    "succeed",
    "end",
    "release",
    "cancel",
    "bury",
]


class Hold(StrEnum):
    """What a step tells the attempt that calls it."""

    # The attempt no longer holds the run, and has changed nothing.
    LOST = "lost"
    # The attempt holds the run, and the step is done.
    HELD = "held"
    # The attempt holds the run, and somebody asked the job to stop.
    CANCEL_ASKED = "cancel-asked"
    # Nothing is done yet: somebody asked for force after the gate had rejected the candidate.
    FORCE_ASKED = "force-asked"


class Cancellation(StrEnum):
    """What became of a request to cancel a job."""

    # The job is cancelled, or its attempt will be told to stop.
    ACCEPTED = "accepted"
    # The job had already ended.
    ENDED = "ended"
    # There is no record of the job.
    UNKNOWN = "unknown"


_SOURCES = lua.sources(__file__)


class Steps:
    """Runs steps; raises redis.RedisError when Redis does not answer."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._scripts: dict[Step, Script] = {}

    def run(self, step: Step, job_id: str, *own_keys: str, **argument: object) -> Any:
        """Run a step on a job, and return what its script answers."""
        if step not in self._scripts:
            source = _SOURCES["prelude"] + _SOURCES[step]
            self._scripts[step] = self._redis.register_script(source)
        argument |= {
            "now": timestamp(),
            "call": _call_id(),
            "bounds": BOUNDS,
            "job_prefix": redis_keys.JOB_PREFIX,
            "events_prefix": redis_keys.EVENTS_PREFIX,
        }
        return self._scripts[step](
            keys=[
                redis_keys.job(job_id),
                redis_keys.events(job_id),
                redis_keys.ACTIVE_JOB,
                *own_keys,
                redis_keys.JOB_DURATIONS,
            ],
            # Not as ASCII: Redis's JSON refuses half of a surrogate pair, which the name of a file
            # in an error may hold. The client sends a question mark for it.
            args=[json.dumps(argument, ensure_ascii=False)],
        )


def _call_id() -> str:
    return secrets.token_hex(8)


def timestamp() -> str:
    """Return the time as records and events have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
