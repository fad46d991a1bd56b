"""The supervisor of `make run`: honcho's, for processes with children and for early signals."""

import contextlib
import os
import signal
import threading
from typing import Any

from honcho.manager import Manager
from honcho.process import Popen


class WholeGroup(Popen):  # type: ignore[misc]
    """A process that takes its children along when it ends.

    honcho sees a process end by the end of its output, and children that live on keep that open.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        threading.Thread(target=self._take_children_along, daemon=True).start()

    def _take_children_along(self) -> None:
        self.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


class Supervisor(Manager):  # type: ignore[misc]
    """honcho's manager, for signals that come before every child has told its process id.

    honcho 2.0 then fails with a KeyError and leaves the children running.
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
        """What is left when honcho itself fails."""
        for process in self._processes.values():
            with contextlib.suppress(KeyError, ProcessLookupError):
                os.killpg(process["pid"], signal.SIGKILL)
