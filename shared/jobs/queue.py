"""How a job reaches a worker: a Celery message that says 'look at job X'."""

import os

import redis
from celery import Celery
from kombu.exceptions import KombuError

from shared.runtime.redis_keys import QUEUE
from shared.runtime.redis_url import RedisServer

TASK_NAME = "lifeboat.train"

_SEND_OPTIONS = {
    # redis-py's own time-outs: without them a publish hangs on a server that does not answer.
    "socket_timeout": 1.0,
    "socket_connect_timeout": 1.0,
    # A publish fails at once instead of retrying for 6 to 19 s: the job's record is already
    # written, and `JobWatch` sends the message again.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "connect_retries_timeout": 1,
    # One list instead of one for each of four priorities: all messages have the same.
    "priority_steps": [0],
}


def forget_settings_of_others() -> None:
    """Remove Celery's own variables from the environment, where they win over what is said here.

    Such as `CELERY_BROKER_URL`, which whoever runs another project on this machine may have set.
    """
    # A child is started with what its main process, which has forgotten them, set for it.
    if "FORKED_BY_MULTIPROCESSING" not in os.environ:
        for name in [name for name in os.environ if name.startswith("CELERY")]:
            del os.environ[name]


def celery_application(server: RedisServer, *, amqp: str | None = None) -> Celery:
    """Make a Celery application with the configuration that senders and workers share.

    `amqp` names a class of the worker's own in place of Celery's access to the broker.
    """
    forget_settings_of_others()
    application = Celery("lifeboat", broker=server.plain_url, set_as_current=False, amqp=amqp)
    application.conf.update(
        broker_use_ssl=server.tls or None,
        task_default_queue=QUEUE,
        # Without a name there is no table of bindings in Redis: the queue is a list, and no more.
        task_default_exchange="",
        # JSON only: a pickled message could run any code of its sender's.
        task_serializer="json",
        accept_content=["json"],
        # The job's record is the result. Celery's own says PENDING for unknown ids, forgets after a
        # day, and makes a send to a dead Redis last 19 s.
        task_ignore_result=True,
        # The default logs a warning for each lost connection on publishing.
        task_publish_retry=False,
        broker_transport_options=_SEND_OPTIONS,
    )
    return application


class JobQueue:
    """Sends messages; every method raises redis.RedisError when Redis does not answer."""

    def __init__(self, application: Celery, client: redis.Redis) -> None:
        self._application = application
        self._redis = client

    def send(self, job_id: str) -> None:
        """Send the message of a job, in place of every other that waits.

        Safe to call twice: only one worker can claim a job, and only while it is queued. There is
        one active job at most, so the messages that wait are of jobs that have ended, or the same.
        If one is lost that is neither, `JobWatch` sends it again.
        """
        # Of whatever type somebody made it.
        self._redis.delete(QUEUE)
        try:
            self._application.send_task(TASK_NAME, args=[job_id], task_id=job_id)
        except redis.RedisError:
            raise
        # kombu wraps what redis-py raises, depending on where it happened.
        except (KombuError, OSError, RuntimeError) as error:
            if isinstance(error.__cause__, redis.RedisError):
                raise error.__cause__ from error
            raise redis.ConnectionError(f"sending the message failed: {error}") from error

    def is_empty(self) -> bool:
        """Return whether no message waits for a worker."""
        # Not its length: the key may be of a type that has none, and hold no message.
        return self._redis.type(QUEUE) != "list"
