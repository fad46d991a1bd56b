"""The supervisor of `make run`: honcho's, safe for early signals and processes with children."""

import contextlib
import os
import signal
import threading
from typing import Any

from honcho.manager import Manager
from honcho.process import Popen


class WholeGroup(Popen):  # type: ignore[misc]
    """A process that ends its children when it ends.

    honcho waits for the end of a process's output, and children that live on keep the output open.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        threading.Thread(target=self._take_children_along, daemon=True).start()

    def _take_children_along(self) -> None:
        self.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


class Supervisor(Manager):  # type: ignore[misc]
    """honcho's manager, made safe for signals that come before every child has sent its process id.

    On such a signal, honcho 2.0 fails with a KeyError and leaves the children running.
    """

    _asked_early = False

    def add_process(self, *arguments: Any, **options: Any) -> Any:
        process = super().add_process(*arguments, **options)
        process._child_ctor = WholeGroup
        return process

    def terminate(self) -> None:
        if super()._all_started():
            super().terminate()
        else:
            self._asked_early = True

    def _all_started(self) -> bool:
        started = bool(super()._all_started())
        if started and self._asked_early:
            self._asked_early = False
            super().terminate()
        return started

    def kill_all(self) -> None:
        """Kill the processes that are left if honcho itself fails."""
        for process in self._processes.values():
            with contextlib.suppress(KeyError, ProcessLookupError):
                os.killpg(process["pid"], signal.SIGKILL)
