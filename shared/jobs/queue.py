"""How a job reaches a worker: a message in Celery's words that says 'look at job X'.

kombu, on which Celery stands, writes it: whoever only sends needs nothing else of Celery's.
"""

import kombu
import redis
from kombu.exceptions import KombuError
from kombu.pools import ProducerPool

from shared.runtime.redis_keys import QUEUE
from shared.runtime.redis_url import RedisServer

TASK_NAME = "lifeboat.train"

SEND_OPTIONS = {
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

_MOST_CONNECTIONS = 10


def broker(server: RedisServer) -> kombu.Connection:
    """Make the connection that messages are sent through; it connects at its first use."""
    return kombu.Connection(
        server.plain_url, ssl=server.tls or False, transport_options=dict(SEND_OPTIONS)
    )


class JobQueue:
    """Sends messages; every method raises redis.RedisError when Redis does not answer."""

    def __init__(self, connection: kombu.Connection, client: redis.Redis) -> None:
        self._connections = connection.Pool(_MOST_CONNECTIONS)
        self._producers = ProducerPool(self._connections, limit=_MOST_CONNECTIONS)
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
            self._publish(job_id)
        except redis.RedisError:
            raise
        # kombu wraps what redis-py raises, depending on where it happened.
        except (KombuError, OSError, RuntimeError) as error:
            if isinstance(error.__cause__, redis.RedisError):
                raise error.__cause__ from error
            raise redis.ConnectionError(f"sending the message failed: {error}") from error

    def _publish(self, job_id: str) -> None:
        """Publish the call of a task, as the second version of Celery's protocol has it."""
        producer = self._producers.acquire(block=True)
        try:
            producer.publish(
                [[job_id], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}],
                # Without a name there is no table of bindings in Redis: the queue is a list.
                exchange="",
                routing_key=QUEUE,
                serializer="json",
                correlation_id=job_id,
                headers={"lang": "py", "task": TASK_NAME, "id": job_id},
            )
        finally:
            producer.release()

    def is_empty(self) -> bool:
        """Return whether no message waits for a worker."""
        # Not its length: the key may be of a type that has none, and hold no message.
        return self._redis.type(QUEUE) != "list"

    def close(self) -> None:
        """Close the connections that messages were sent through."""
        self._connections.force_close_all()
