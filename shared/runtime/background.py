"""Background threads: the duties of a process beside its main work."""

import logging
import threading
from collections.abc import Callable

Duty = Callable[[threading.Event], None]
"""Returns soon after the event is set, or earlier if it has nothing more to do."""

_RESTART_SECONDS = 1.0
_STOP_SECONDS = 3.0

log = logging.getLogger(__name__)


class Background:
    """Runs each duty in a thread of its own, and starts it again if it ever raises."""

    def __init__(self, *duties: Duty) -> None:
        self.stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._look_after, args=(duty,), name=duty.__name__, daemon=True)
            for duty in duties
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self.stopping.set()
        for thread in self._threads:
            thread.join(_STOP_SECONDS)

    def _look_after(self, duty: Duty) -> None:
        said = ""
        while True:
            try:
                return duty(self.stopping)
            except Exception as error:
                # Once a second the same traceback would fill a disk.
                if said != repr(error):
                    said = repr(error)
                    log.exception("%s failed; starting it again", duty.__name__)
            if self.stopping.wait(_RESTART_SECONDS):
                return
