"""Starts the API's processes: `python -m api`."""

import contextlib
import os
import tempfile

import uvicorn

from api.exposure import warn_where_open
from api.supervisor import Supervisor
from shared.log import log_config
from shared.settings import Settings

_DRAIN_SECONDS = 4
_HEALTHCHECK_SECONDS = 30


def main() -> None:
    settings = Settings()
    warn_where_open(settings)
    with tempfile.TemporaryDirectory(prefix="lifeboat-metrics-") as folder:
        # prometheus_client decides on import how it counts, in this process and in its children.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        config = uvicorn.Config(
            "api.app:create_app",
            factory=True,
            http="api.connection:Connection",
            host=settings.host,
            port=settings.port,
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
        if settings.api_workers > 1:
            Supervisor(config, [config.bind_socket()]).run()
        else:
            with contextlib.suppress(KeyboardInterrupt):
                uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
