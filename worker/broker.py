"""The worker's side of Celery's broker, which is Redis: it waits whatever Redis says, and takes
nothing from the queue but 'look at job X'.

Celery of its own ends the worker when Redis answers with an error (a failover, a missing right, a
full memory), and when a message or a key of Celery's is not what Celery wrote.
"""

import base64
import json
import logging
import secrets
import time
import warnings
from collections.abc import Callable
from queue import Empty
from typing import Any, TypeVar

import kombu
import redis
from celery.app.amqp import AMQP
from celery.exceptions import CPendingDeprecationWarning
from celery.worker.consumer.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu.transport import redis as kombu_redis

from shared.jobs.job import JOB_ID_PATTERN
from shared.jobs.queue import TASK_NAME
from shared.runtime.alive_file import alive_file
from shared.runtime.redis_keys import QUEUE
from shared.runtime.redis_outage import Outage

_RECONNECT_SECONDS = 2.0
_SLICE_SECONDS = 0.5
_LONGEST_BODY = 10_000
"""Characters; what `JobQueue` sends has about 150."""

_Answer = TypeVar("_Answer")

log = logging.getLogger(__name__)

outage = Outage(log, f"waiting, and trying again every {_RECONNECT_SECONDS:g} s")


class PatientConnection(kombu.Connection):
    """A connection that tries again every 2 s while Redis is away, and shows that it is alive.

    Celery has no setting for either: kombu waits 2 s longer after each try, up to 30 s, and the
    event loop, which touches the file otherwise, stands still meanwhile. A worker that is restarted
    for being unhealthy would lose the run that computes on, and Redis would be back no sooner.
    """

    def get_transport_cls(self) -> type[kombu_redis.Transport]:
        return Transport

    def ensure_connection(
        self,
        errback: Callable[[Exception, float], object] | None = None,
        *args: Any,
        callback: Callable[[], object] | None = None,
        **options: Any,
    ) -> Any:
        def note(error: Exception, _interval: float) -> None:
            outage.note(error)

        def wait() -> None:
            alive_file.touch()
            if callback is not None:
                callback()

        options |= {"callback": wait, "interval_max": _RECONNECT_SECONDS}
        # Celery's own errback logs each try.
        return super().ensure_connection(note, *args, **options)


class PatientBroker(AMQP):
    """Celery's access to the broker; AMQP is Celery's word for it, whatever the broker is."""

    Connection = PatientConnection


class PatientConsumer(Consumer):
    """Celery's consumer; it pauses when Redis takes a connection and refuses what comes next."""

    def connect(self) -> Any:
        # The first failure may be a connection that Redis closed at its restart.
        if outage.failures > 1:
            for _ in range(round(_RECONNECT_SECONDS / _SLICE_SECONDS)):
                maybe_shutdown()
                alive_file.touch()
                time.sleep(_SLICE_SECONDS)
        return super().connect()

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        outage.note(exc)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        outage.note(exc)
        with warnings.catch_warnings():
            # Of a default that Celery will change; `celery_app` sets the value.
            warnings.simplefilter("ignore", CPendingDeprecationWarning)
            super().on_connection_error_after_connected(exc)


_Channel: Any = kombu_redis.Channel
"""As its stubs lack half of it."""


class Channel(_Channel):  # type: ignore[misc]
    """Reads the queue; what is not a message of ours, or not a list, is thrown away."""

    # What a worker has taken and not looked at is sent again by `JobWatch`. Celery would put a
    # message back that has ended the connection, and take it again.
    do_restore = False

    def _brpop_read(self, **options: Any) -> Any:
        try:
            answer = super()._brpop_read(**options)
        except Empty:
            outage.end()
            raise
        except (redis.RedisError, OSError) as error:
            if self._clear(error, QUEUE):
                raise Empty from None
            raise
        except Exception as error:
            # Reading one as JSON may fail in many ways, such as a RecursionError.
            throw_away(f"{type(error).__name__}: {error}")
            answer = True
        outage.end()
        return answer

    def _size(self, queue: str) -> Any:
        return self._cleared(lambda: super(Channel, self)._size(queue), queue)

    def _queue_bind(self, exchange: str, *binding: Any) -> None:
        self._cleared(
            lambda: super(Channel, self)._queue_bind(exchange, *binding),
            self.keyprefix_queue % exchange,
            self.keyprefix_binding_permanent % exchange,
            self.keyprefix_binding_deadlines,
        )

    def get_table(self, exchange: str) -> Any:
        return self._cleared(
            lambda: super(Channel, self).get_table(exchange), self.keyprefix_queue % exchange
        )

    def _cleared(self, call: Callable[[], _Answer], *keys: str) -> _Answer:
        """Make a call that reads or writes the keys; if one has a wrong type, without it."""
        try:
            return call()
        except redis.ResponseError as error:
            if not self._clear(error, *keys):
                raise
        return call()

    def _clear(self, error: Exception, *keys: str) -> bool:
        """Delete keys if the error says that one has a type that Celery did not give it."""
        if "WRONGTYPE" not in str(error):
            return False
        with self.conn_or_acquire() as client:
            client.delete(*keys)
        log.warning("deleted, because its type is not the one that Celery gives it: %s", keys)
        return True


class Transport(kombu_redis.Transport):
    """Celery's transport; every error of Redis's is one to wait for, not one to end with."""

    Channel = Channel
    connection_errors = (*kombu_redis.Transport.connection_errors, redis.RedisError)

    def _deliver(self, message: Any, queue: str | None) -> None:
        if queue == QUEUE:
            try:
                message = look_at(job_of(message))
            except ValueError as error:
                return throw_away(str(error))
        try:
            super()._deliver(message, queue)
        except (redis.RedisError, OSError):
            raise
        # A KeyError, too: kombu takes one for a lost connection.
        except Exception as error:
            throw_away(f"{type(error).__name__}: {error}")


def job_of(message: Any) -> str:
    """Return the id of the job that a message of the queue says to look at.

    Raises:
        ValueError: the message says something else.
    """
    try:
        body, headers, properties = message["body"], message["headers"], message["properties"]
        job_id, task, encoding = headers["id"], headers["task"], properties["body_encoding"]
    except (TypeError, LookupError):
        raise ValueError("it lacks a part that each message of Celery's has") from None
    if task != TASK_NAME:
        raise ValueError(f"its task is {str(task)[:80]!r}, and there is only {TASK_NAME}")
    if not isinstance(job_id, str) or not JOB_ID_PATTERN.fullmatch(job_id):
        raise ValueError("its id is not that of a job")
    if encoding != "base64" or not isinstance(body, str) or len(body) > _LONGEST_BODY:
        raise ValueError(f"its body is not base64 of at most {_LONGEST_BODY} characters")
    try:
        arguments = json.loads(base64.b64decode(body, validate=True))[0]
    except (ValueError, RecursionError, TypeError, LookupError):
        raise ValueError("its body is not JSON in base64") from None
    if arguments != [job_id]:
        raise ValueError("its arguments are not the id of its job")
    return job_id


def look_at(job_id: str) -> dict[str, Any]:
    """Return the message that says 'look at job X', as Celery has it.

    The message that came may say more: that it is to be done later, or unpacked first.
    """
    body = json.dumps([[job_id], {}, {"callbacks": None, "errbacks": None, "chain": None}])
    return {
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": TASK_NAME, "id": job_id},
        "properties": {
            "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": QUEUE},
            "delivery_tag": secrets.token_hex(16),
        },
    }


def throw_away(reason: str) -> None:
    # The message itself is not shown: it may have any length.
    log.warning("a message that is not one of ours is thrown away: %.200s", reason)
