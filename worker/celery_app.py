"""The Celery application of the worker, which `python -m worker` starts.

Celery carries messages and runs tasks in a child process. It recovers nothing
(`shared/jobs/watch.py` does), so every setting that would retry, redeliver or revoke is off.

This module is configuration only. What the worker does when it starts and stops is in
`lifecycle.py`, which Celery imports in the main process and in the child.
"""

import os

from celery import Celery

from shared.jobs.queue import SEND_OPTIONS
from shared.refusal import read_settings
from shared.runtime.alive_file import alive_file
from shared.runtime.log import refuse_to_start
from shared.runtime.redis_keys import QUEUE
from shared.runtime.redis_url import RedisServer


def forget_settings_of_others() -> None:
    """Remove Celery's own variables from the environment, where they win over what is said here.

    Such as `CELERY_BROKER_URL`, which whoever runs another project on this machine may have set.
    """
    # A child is started with what its main process, which has forgotten them, set for it.
    if "FORKED_BY_MULTIPROCESSING" not in os.environ:
        for name in [name for name in os.environ if name.startswith("CELERY")]:
            del os.environ[name]


def celery_application(server: RedisServer, *, amqp: str | None = None) -> Celery:
    """Make a Celery application that takes from the queue what `JobQueue` sends.

    `amqp` names a class of ours in place of Celery's access to the broker.
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
        broker_transport_options=SEND_OPTIONS,
    )
    return application


settings = read_settings()
if settings.serves_only:
    refuse_to_start(
        "LIFEBOAT_REDIS_URL is none, and a worker needs Redis for its jobs; name a server, or "
        "train with `python -m worker.publish`, which needs none"
    )
alive_file.path = settings.alive_file
app = celery_application(settings.redis_server(), amqp="worker.broker:PatientBroker")
app.conf.update(
    include=["worker.lifecycle", "worker.tasks"],
    # One run at a time, so one child is enough. A child, because a run that is killed for lack of
    # memory then leaves the worker standing.
    worker_pool="prefork",
    worker_concurrency=1,
    # The main process has threads, and a fork would copy their locks in whatever state they are;
    # an OpenMP pool copied by a fork can deadlock too (scikit-learn#19272).
    worker_pool_start_method="spawn",
    # A spawned child imports the application first; Celery's 4 s are short on a loaded machine.
    worker_proc_alive_timeout=60,
    # A fresh process now and then gives back what a library leaked.
    worker_max_tasks_per_child=10,
    # A message is acknowledged when it is taken. Late acknowledgement delivers a message again
    # while its run still goes on after the visibility time-out, and acknowledges the original when
    # such a duplicate returns.
    task_acks_late=False,
    # With early acknowledgement there is nothing to reject; pinned because True runs a task that
    # kills its worker again and again without end (celery#9082).
    task_reject_on_worker_lost=False,
    # The worker takes no message that it cannot look at: another worker may be free.
    worker_prefetch_multiplier=1,
    # True, the announced default of Celery 6, revokes the running task when Redis restarts.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    # The worker waits for Redis for ever, also at its start: it has nothing to do without it.
    worker_consumer="worker.broker:PatientConsumer",
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # Time-outs of reading: without them a half-open connection leaves the worker deaf.
    broker_transport_options={
        **app.conf.broker_transport_options,
        # Without Celery's note of each message that is not acknowledged: see `task_acks_late`.
        "ack_emulation": False,
        "socket_timeout": 5.0,
        "socket_connect_timeout": 2.0,
        "socket_keepalive": True,
        "health_check_interval": 25,
    },
    # The backstop for a run whose own clock (`Attempt`) is stuck in code that never lets go.
    task_time_limit=settings.job_timeout_seconds + 60,
)
