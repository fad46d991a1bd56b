"""Succession: a process that starts takes requests only if it serves what the others serve.

Without this, a rolling restart after a change that no new process can live with (a signing key
that does not verify, a volume that is not there) would end in processes without a model.
"""

import logging
import threading

from api import limits
from api.serving.watcher import Watcher
from api.telemetry import process_files

log = logging.getLogger(__name__)


def wait_until_fit(watcher: Watcher, stop: threading.Event) -> None:
    """Wait until this process may take requests, or is asked to stop.

    The parent gives up a rolling restart if it waits for too long; the old processes serve on.
    """
    said = False
    while not is_fit(watcher.served, watcher.chosen, process_files.noted_by_others()):
        if not said:
            said = True
            log.error(
                "expected to serve what the other processes serve, but serve %s, so this process "
                "takes no requests and a rolling restart ends here; mend what the lines above say "
                "and restart again",
                watcher.served or "no model",
            )
        if stop.wait(limits.FIT_LOOK_SECONDS):
            return


def is_fit(served: str | None, chosen: str | None, others: set[str]) -> bool:
    """Return whether a process that serves `served` may take requests.

    `chosen` is the version that the version key names, which the others may be loading right now;
    `others` is what the other processes of this host serve.
    """
    return not others or served in others or (served is not None and served == chosen)
