"""Starts the worker: `python -m worker`."""

import os
import sys

_COMMAND = ["--quiet", "worker", "--without-gossip", "--without-mingle", "--without-heartbeat"]


def main() -> None:
    # The threads of a fit spin while they wait for each other, which on a busy machine is most of
    # the time: histogram boosting took ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Celery's command line takes these, from whatever project they are. `celery_app` forgets what
    # its library takes.
    for name in ("APP", "BROKER_URL", "RESULT_BACKEND", "LOADER", "CONFIG_MODULE"):
        os.environ.pop(name, None)
    from worker.celery_app import app

    raise SystemExit(app.start([*_COMMAND, *sys.argv[1:]]))


if __name__ == "__main__":
    main()
