"""Whose definition is trained on a Redis and its models: one definition at a time.

Two of them would take turns in promoting versions with other fields, and clients would be refused
by turns.
"""

import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import redis

from shared.errors import DefinitionBroken
from shared.runtime import redis_keys
from shared.runtime.redis_keys import DEFINITION
from shared.runtime.redis_outage import cause
from shared.schema.compatibility import digest
from shared.schema.schema import Schema

HOLD_SECONDS = 10
"""How long a worker that has ended keeps others from their definition."""
READING = "its definition is being read"

_RENEW_SECONDS = 2.0
_READ_SECONDS = 120.0

log = logging.getLogger(__name__)


class TrainingRight:
    """The right to train a definition; workers of the same definition share it.

    It expires by Redis's clock. A right that is lost too early costs no more than a wait: what is
    served is the gate's decision.
    """

    def __init__(self, client: redis.Redis, worker: str) -> None:
        self._redis = client
        self._worker = worker

    def take(self, schema: Schema) -> str:
        """Take or renew the right; return who has it for another definition, or "".

        This worker's child learns of it from Redis. Raises redis.RedisError.
        """
        own = json.dumps(
            {"digest": digest(schema), "record": schema.record, "worker": self._worker}
        )
        is_free = self._redis.set(DEFINITION, own, nx=True, ex=HOLD_SECONDS)
        other = "" if is_free else self.refusal(schema)
        waiting = redis_keys.waiting(self._worker)
        if other:
            self._redis.set(waiting, other, ex=HOLD_SECONDS)
            return other
        self._redis.set(DEFINITION, own, ex=HOLD_SECONDS)
        self._redis.delete(waiting)
        return ""

    def is_waiting(self) -> bool:
        """Return whether the main process of this worker waits. Raises redis.RedisError."""
        return bool(self._redis.exists(redis_keys.waiting(self._worker)))

    def refusal(self, schema: Schema) -> str:
        """Return who trains another definition, in words; "" if nobody does.

        Raises redis.RedisError.
        """
        try:
            held = json.loads(str(self._redis.get(DEFINITION)))
            if held["worker"] == self._worker or held["digest"] == digest(schema):
                return ""
            return (
                f"the worker {held['worker']} trains another definition here (its record is "
                f"{held['record']}, this one's is {schema.record}); this worker waits until that "
                "one has ended. Give each definition a Redis and a models folder of its own, or "
                "stop one of the workers"
            )
        except (ValueError, TypeError, KeyError):
            # Nobody's, or not written by a worker.
            return ""


class OwnDefinition:
    """The definition of this worker as its main process knows it."""

    def __init__(self, folder: Path, right: TrainingRight) -> None:
        self.schema: Schema | None = None
        self.broken = ""
        """Why there is no schema."""
        self.waits_for = READING
        """Why this worker is not to train now."""
        self._folder = folder
        self._right = right
        self._read_at: object = None

    def follow(self, stop: threading.Event) -> None:
        """Read the folder when it changes, and hold the right to train what it says."""
        said = ""
        while not stop.is_set():
            self._read()
            if self.schema is not None:
                try:
                    self.waits_for = self._right.take(self.schema)
                except redis.RedisError as error:
                    self.waits_for = cause(error)
                else:
                    if self.waits_for not in ("", said):
                        log.warning("%s", self.waits_for)
                    elif said and not self.waits_for:
                        log.info("this worker trains again")
                    said = self.waits_for
            stop.wait(_RENEW_SECONDS)

    def _read(self) -> None:
        found = _times(self._folder)
        if found == self._read_at:
            return
        self._read_at = found
        try:
            self.schema, self.broken = read_schema(self._folder), ""
        except DefinitionBroken as error:
            self.schema, self.broken, self.waits_for = None, str(error), ""
            log.warning("the definition is broken: %s", error)


def read_schema(folder: Path) -> Schema:
    """Return the schema of a folder, read in a process of its own. Raises DefinitionBroken."""
    try:
        read = subprocess.run(
            [sys.executable, "-m", "worker.definition", str(folder)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            timeout=_READ_SECONDS,
            check=False,
        )
        said = read.stdout.strip().rpartition("\n")[2]
        if read.returncode == 0:
            return Schema.model_validate_json(said)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise DefinitionBroken(f"{folder}: cannot be read: {error}") from error
    last = read.stderr.strip().rpartition("\n")[2]
    raise DefinitionBroken(said or f"{folder}: cannot be read: {last}")


def _times(folder: Path) -> list[tuple[str, int, int]]:
    """Return what changes when a file of the definition is written."""
    try:
        return sorted(
            (path.name, (status := path.stat()).st_mtime_ns, status.st_size)
            for path in folder.glob("*.py")
        )
    except OSError:
        return []
