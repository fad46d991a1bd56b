"""Celery's pool, which has one child: what Celery does not notice about it.

A child that hangs (stopped, or stuck in code that never lets go) keeps its place in the pool, and
with it every run to come. So the child shows its main process once a second that it moves: by a
datagram on the loopback, which needs neither Redis nor a file.
"""

import contextlib
import gc
import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import billiard.semaphore_tracker
import billiard.synchronize

_PORT = "WORKER_PULSE_PORT"
"""The variable that tells a child where its main process listens."""

_BEAT_SECONDS = 1.0
_HUNG_SECONDS = 10.0
"""Longer than `DEAD_AFTER_SECONDS`: the job of a child that hangs has been given away by then."""
_START_SECONDS = 60.0
"""A child imports the application and its libraries first. Celery waits as long for it, but for the
first child of a pool not at all."""
_PAUSED_SECONDS = 3.0
_MOST_AT_ONCE = 100
"""Datagrams that are read before the next look, whoever sends them."""

Children = Callable[[], Iterable[int]]
"""Returns the ids of the child processes that the pool has now."""

log = logging.getLogger(__name__)


class ChildWatch:
    """Kills a child that hangs; the pool then starts another.

    By the watcher's own monotonic clock, as `JobWatch`: what was paused together with the child,
    perhaps with the whole machine, takes nobody for dead.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[int, float] = {}
        self._looked_at = 0.0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)

    def announce(self) -> None:
        """Tell the children that are started from now on where to send their datagrams."""
        os.environ[_PORT] = str(self._socket.getsockname()[1])

    def watch(self, children: Children, stop: threading.Event) -> None:
        while not stop.wait(_BEAT_SECONDS):
            with contextlib.suppress(BlockingIOError):
                for _ in range(_MOST_AT_ONCE):
                    self.hear(self._socket.recv(16))
            self.look(children())
            revive_semaphore_tracker()

    def hear(self, datagram: bytes) -> None:
        with contextlib.suppress(ValueError):
            self._heard[int(datagram)] = self._clock()

    def look(self, children: Iterable[int]) -> None:
        now = self._clock()
        was_paused = now - self._looked_at > _PAUSED_SECONDS
        self._looked_at = now
        # A new child has to start before it is heard.
        heard = {pid: self._heard.get(pid, now + _START_SECONDS) for pid in children}
        self._heard = {
            pid: max(since, now) if was_paused else since for pid, since in heard.items()
        }
        for pid, since in list(self._heard.items()):
            if now - since >= _HUNG_SECONDS:
                log.warning(
                    "the child %d has not moved for %.0f s; it is killed, and another takes its "
                    "place",
                    pid,
                    _HUNG_SECONDS,
                )
                del self._heard[pid]
                kill([pid])

    def close(self) -> None:
        self._socket.close()


def show_that_it_moves() -> None:
    """In a child: send a datagram once a second, for as long as the process lives."""
    port = os.environ.get(_PORT)
    if port is not None:
        threading.Thread(target=_beat, args=(int(port),), name="pulse", daemon=True).start()


def children_of(pool: Any) -> list[int]:
    """Return the ids of the child processes of Celery's pool; none after its stop."""
    running = pool._pool
    return [] if running is None else [child.pid for child in running._pool if child.pid]


def kill(children: Iterable[int]) -> None:
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def keep_semaphore_tracker() -> None:
    """Have billiard look, before it writes to its semaphore tracker, whether the tracker lives."""
    tracker: Any = billiard.semaphore_tracker.__dict__["_semaphore_tracker"]
    start = tracker.ensure_running

    def ensure_running() -> None:
        revive_semaphore_tracker()
        start()

    tracker.ensure_running = ensure_running


def revive_semaphore_tracker() -> None:
    """Start billiard's semaphore tracker again if it has died.

    billiard starts it once, and without it can start no child any more: writing to its pipe fails
    for ever. Python's own `multiprocessing` starts its tracker again in the same way.
    """
    tracker: Any = billiard.semaphore_tracker.__dict__["_semaphore_tracker"]
    with tracker._lock:
        if tracker._fd is None or not _has_no_reader(tracker._fd):
            return
        log.warning("the semaphore tracker has died; another is started")
        os.close(tracker._fd)
        tracker._fd = None
    tracker.ensure_running()
    semaphore: Any = billiard.synchronize.__dict__["SemLock"]
    for found in gc.get_objects():
        if isinstance(found, semaphore) and found._semlock.name is not None:
            tracker.register(found._semlock.name)


def _has_no_reader(pipe: int) -> bool:
    poll = select.poll()
    # An error is reported whether it is asked for or not.
    poll.register(pipe, 0)
    return bool(poll.poll(0))


def _beat(port: int) -> None:
    me = str(os.getpid()).encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as pulse:
        while True:
            # The main process may be about to end.
            with contextlib.suppress(OSError):
                pulse.sendto(me, ("127.0.0.1", port))
            time.sleep(_BEAT_SECONDS)
