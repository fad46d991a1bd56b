"""Start the API's processes: `python -m api`."""

import contextlib
import logging
import os
import resource
import sys

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from api import limits
from api.http.exposure import warn_where_open
from api.http.supervisor import Supervisor
from api.telemetry import process_files
from shared.refusal import oddities, read_settings
from shared.runtime.log import configure, log_config

log = logging.getLogger(__name__)


def main() -> None:
    settings = read_settings()
    configure(settings.log_level, settings.log_format)
    for sentence in oddities():
        log.warning("%s", sentence)
    warn_where_open(settings)
    raise_open_files()
    with process_files.new_folder() as folder:
        # prometheus_client decides on import how it counts, in this process and in its children.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        config = uvicorn.Config(
            "api.app:start_app",
            factory=True,
            # By its name, because it counts: it must be imported after the folder is set.
            http="api.short_cut.connection:ShortCutConnection",
            ws="none",
            host=settings.host,
            port=settings.port,
            workers=settings.api_workers,
            log_config=log_config(settings.log_level, settings.log_format),
            # A line per request costs more than a prediction; /metrics counts requests.
            access_log=False,
            timeout_graceful_shutdown=limits.DRAIN_SECONDS,
            timeout_worker_healthcheck=limits.HEALTHCHECK_SECONDS,
            server_header=False,
            # Looking costs each request; `api/http/forwarded.py` looks for those that are logged.
            proxy_headers=False,
        )
        if not _serve(config):
            sys.exit(STARTUP_FAILURE)


def _serve(config: uvicorn.Config) -> bool:
    """Serve until asked to stop; return False if the application could not start."""
    if config.workers > 1:
        parent = Supervisor(config, [config.bind_socket()])
        parent.run()
        return not parent.failed
    server = uvicorn.Server(config)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    return server.started or server.should_exit


def raise_open_files() -> None:
    """Raise the soft limit of open files to the hard limit, for this process and its children.

    Many shells allow 1,024. With as many idle connections, a process accepts no further client
    (`OSError: Too many open files`) and cannot read a model.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # macOS states 'unlimited' and refuses it.
    except (OSError, ValueError) as error:
        log.warning("the limit of open files stays as it is: %s", error)


if __name__ == "__main__":
    main()
