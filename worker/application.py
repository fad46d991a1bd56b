"""Makes the Celery application, free of what other projects have configured."""

import os

from celery import Celery

from shared.jobs.queue import SEND_OPTIONS
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
