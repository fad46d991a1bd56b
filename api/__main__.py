"""Starts the API's processes: `python -m api`."""

import contextlib
import logging
import os
import resource
import tempfile

import uvicorn

from api import limits
from api.http.exposure import warn_where_open
from api.http.supervisor import Supervisor
from shared.runtime.log import configure, log_config
from shared.settings import read_settings

log = logging.getLogger(__name__)


def main() -> None:
    settings = read_settings()
    configure(settings.log_level, settings.log_format)
    warn_where_open(settings)
    raise_open_files()
    with tempfile.TemporaryDirectory(prefix="lifeboat-metrics-") as folder:
        # prometheus_client decides on import how it counts, in this process and in its children.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        config = uvicorn.Config(
            "api.app:start_app",
            factory=True,
            # By its name: it counts, so it must not be imported before the folder is set.
            http="api.http.connection:Connection",
            host=settings.host,
            port=settings.port,
            workers=settings.api_workers,
            log_config=log_config(settings.log_level, settings.log_format),
            # A line per request costs more than a prediction; /metrics counts them.
            access_log=False,
            # Unset, an open event stream would keep the process from ever stopping.
            timeout_graceful_shutdown=limits.DRAIN_SECONDS,
            # After 5 s without an answer uvicorn kills a process, and a load on a busy machine can
            # take that long.
            timeout_worker_healthcheck=limits.HEALTHCHECK_SECONDS,
            server_header=False,
        )
        if settings.api_workers > 1:
            Supervisor(config, [config.bind_socket()]).run()
        else:
            with contextlib.suppress(KeyboardInterrupt):
                uvicorn.Server(config).run()


def raise_open_files() -> None:
    """The soft limit of open files to the hard one, here and in the processes that are started.

    Many shells allow 1,024. As many idle connections, and the process accepts nobody any more
    (`OSError: Too many open files`) and cannot read a model.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # macOS says 'unlimited' and refuses it.
    except (OSError, ValueError) as error:
        log.warning("the limit of open files stays as it is: %s", error)


if __name__ == "__main__":
    main()
