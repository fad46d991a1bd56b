"""Starts the API's processes: `python -m api`."""

import ipaddress
import logging
import logging.config
import os
import resource
import tempfile

import uvicorn

from shared.log import log_config
from shared.settings import Settings

_DRAIN_SECONDS = 4
_HEALTHCHECK_SECONDS = 30


log = logging.getLogger("api")


def main() -> None:
    settings = Settings()
    logging.config.dictConfig(log_config(settings.log_level))
    if settings.api_key is None and not is_loopback(settings.host):
        log.warning(
            "LIFEBOAT_API_KEY is not set and the API listens on %s: whoever reaches that address "
            "can start runs and choose the model. Set it, unless the port is published on this "
            "machine alone, as docker-compose.yml does by default",
            settings.host,
        )
    raise_open_files()
    with tempfile.TemporaryDirectory(prefix="lifeboat-metrics-") as folder:
        # prometheus_client decides on import how it counts, in this process and in its children.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        uvicorn.run(
            "api.app:create_app",
            factory=True,
            host=settings.host,
            port=settings.port,
            # By its name: it counts, so it must not be imported before the line above.
            http="api.connection:Connection",
            workers=settings.api_workers,
            log_config=log_config(settings.log_level),
            # A line per request costs more than a prediction; /metrics counts them.
            access_log=False,
            # Unset, an open event stream would keep the process from ever stopping.
            timeout_graceful_shutdown=_DRAIN_SECONDS,
            # After 5 s without an answer uvicorn kills a process, and a load on a busy machine can
            # take that long.
            timeout_worker_healthcheck=_HEALTHCHECK_SECONDS,
            server_header=False,
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address; a name other than localhost may be any."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
