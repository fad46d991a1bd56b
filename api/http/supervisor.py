"""The parent of the API's processes: starts them, replaces them, and stops them."""

import logging
import time
from socket import socket
from weakref import WeakKeyDictionary

from uvicorn.config import Config
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from shared.runtime.pauses import Pauses

log = logging.getLogger(__name__)


class Supervisor(Multiprocess):
    """uvicorn's parent, which replaces processes that died, and on SIGHUP each process in turn.

    A process that cannot start ends neither the others nor a rolling restart's old processes.
    """

    failed = False
    """Whether the parent ended because no process could start."""
    _has_served = False

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self._pauses = Pauses()
        self._failed_at = time.monotonic()
        self._start_at: WeakKeyDictionary[Process, float] = WeakKeyDictionary()
        """Process that ended with an error -> when its successor may start."""

    def terminate_all(self) -> None:
        # The kernel lets clients connect as long as one copy of the listening socket is open. If
        # this copy stayed open until the last process ends, they would wait and then be cut off.
        for listener in self.sockets:
            listener.close()
        super().terminate_all()

    def keep_subprocess_alive(self) -> None:
        """Replace the processes that died.

        uvicorn stops the parent if a process fails to start, and starts it again without a pause if
        it ended with another error. Here the parent ends only if no process serves.
        """
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            # A process may be killed while the parent asks for its health. If the parent kept its
            # copy of the child's end of the pipe open, the pipe would not end, and the parent would
            # replace the process only after the 30 s that the answer may take.
            process.child_conn.close()
            if process.is_alive(timeout=self.config.timeout_worker_healthcheck):
                self._has_served = self._has_served or process.is_ready()
                continue
            # It may hang.
            process.kill()
            process.join()
            # Ended by a signal, it may be replaced at once: its successor has no reason to fail.
            if (process.exitcode or 0) <= 0 or self._may_start_again(process):
                log.info("process %s ended and is replaced", process.pid)
                self.processes[index] = self._started()

    def _started(self) -> Process:
        process = Process(self.config, self.sockets)
        process.start()
        return process

    def _may_start_again(self, process: Process) -> bool:
        """Return whether the successor of a process that ended with an error may start now."""
        now = time.monotonic()
        if process in self._start_at:
            return now >= self._start_at[process]
        others = [other for other in self.processes if other is not process]
        if not self._has_served or not any(other.process.is_alive() for other in others):
            log.error("process %s could not start, and no other serves", process.pid)
            self.failed = True
            self.should_exit.set()
            return False
        pause = self._pauses.after(now - self._failed_at)
        self._failed_at, self._start_at[process] = now, now + pause
        log.error(
            "process %s ended with status %s, and the lines above say why; the others serve on. "
            "It is started again in %.0f s",
            process.pid,
            process.exitcode,
            pause,
        )
        return False
