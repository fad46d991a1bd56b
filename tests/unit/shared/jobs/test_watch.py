import threading
from dataclasses import replace
from typing import cast

import pytest
import redis

from shared.jobs import watch
from shared.jobs.job import JobStatus
from shared.jobs.queue import JobQueue
from shared.jobs.store import JobStore, Pulse
from shared.jobs.watch import DEAD_AFTER_SECONDS, RESEND_AFTER_SECONDS, JobWatch

RUNNING = Pulse("a" * 32, JobStatus.RUNNING, attempt=1, heartbeat=4)
QUEUED = Pulse("a" * 32, JobStatus.QUEUED, attempt=0, heartbeat=0)


class FakeStore:
    def __init__(self) -> None:
        self.now: Pulse | None = None
        self.after_death: JobStatus | None = JobStatus.QUEUED
        self.buried: list[Pulse] = []

    def pulse(self) -> Pulse | None:
        return self.now

    def bury(self, pulse: Pulse) -> JobStatus | None:
        self.buried.append(pulse)
        return self.after_death


class FakeQueue:
    def __init__(self) -> None:
        self.waiting = 0
        self.sent: list[str] = []

    def send(self, job_id: str) -> None:
        self.sent.append(job_id)

    def is_empty(self) -> bool:
        return not self.waiting


class World:
    """A watch on a store and a queue that the test moves, by a clock that the test moves too."""

    def __init__(self) -> None:
        self.store, self.queue = FakeStore(), FakeQueue()
        self.seconds = 1000.0
        self.watch = JobWatch(
            cast(JobStore, self.store), cast(JobQueue, self.queue), lambda: self.seconds
        )

    def look(self, pulse: Pulse | None, after: float = 0) -> None:
        """A look that sees `pulse`, after looks once a second that saw what was there before."""
        while after > 1:
            self.seconds, after = self.seconds + 1, after - 1
            self.watch.look()
        self.seconds = round(self.seconds + after, 6)
        self.store.now = pulse
        self.watch.look()


@pytest.fixture
def world() -> World:
    return World()


def test_the_limits_are_those_that_the_design_promises() -> None:
    assert (DEAD_AFTER_SECONDS, RESEND_AFTER_SECONDS) == (8.0, 5.0)


def test_a_heart_that_stands_still_for_eight_seconds_is_dead_and_its_job_sent_again(
    world: World,
) -> None:
    world.look(RUNNING)
    world.look(RUNNING, after=7.9)
    assert world.store.buried == []
    world.look(RUNNING, after=0.1)
    assert world.store.buried == [RUNNING]
    assert world.queue.sent == [RUNNING.job_id]


def test_the_first_look_of_a_watcher_calls_nobody_dead(world: World) -> None:
    world.look(RUNNING, after=3600)
    assert world.store.buried == []


def test_a_watcher_that_was_paused_itself_calls_nobody_dead(world: World) -> None:
    world.look(RUNNING)
    world.seconds += 60
    world.look(RUNNING)
    world.look(RUNNING, after=7.9)
    assert world.store.buried == []
    world.look(RUNNING, after=0.1)
    assert world.store.buried == [RUNNING]


def test_a_moving_heart_is_never_dead(world: World) -> None:
    for heartbeat in range(100):
        world.look(replace(RUNNING, heartbeat=heartbeat), after=7.9)
    assert world.store.buried == []
    assert world.queue.sent == []


@pytest.mark.parametrize(
    "change",
    [{"heartbeat": 5}, {"attempt": 2}, {"job_id": "b" * 32}, {"status": JobStatus.QUEUED}],
)
def test_whatever_changes_counts_from_the_start_again(
    world: World, change: dict[str, object]
) -> None:
    world.look(RUNNING)
    world.look(replace(RUNNING, **change), after=7.9)  # type: ignore[arg-type]
    world.look(RUNNING, after=0.1)
    world.look(RUNNING, after=7.9)
    assert world.store.buried == []


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELLED, None])
def test_a_dead_job_that_has_ended_or_was_alive_after_all_is_not_sent(
    world: World, status: JobStatus | None
) -> None:
    world.store.after_death = status
    world.look(RUNNING)
    world.look(RUNNING, after=8)
    assert world.queue.sent == []


def test_a_death_is_counted_once_and_not_at_each_look(world: World) -> None:
    world.look(RUNNING)
    world.look(RUNNING, after=8)
    for _ in range(7):
        world.look(RUNNING, after=1)
    assert len(world.store.buried) == 1


def test_a_running_job_is_not_sent_again_while_it_may_live(world: World) -> None:
    world.look(RUNNING)
    world.look(RUNNING, after=RESEND_AFTER_SECONDS)
    assert world.queue.sent == []


def test_a_queued_job_that_nobody_takes_up_is_sent_again_after_five_seconds(world: World) -> None:
    world.look(QUEUED)
    world.look(QUEUED, after=4.9)
    assert world.queue.sent == []
    world.look(QUEUED, after=0.1)
    assert world.queue.sent == [QUEUED.job_id]


def test_a_queued_job_is_not_sent_again_while_a_message_waits(world: World) -> None:
    world.queue.waiting = 1
    world.look(QUEUED)
    for _ in range(60):
        world.look(QUEUED, after=1)
    assert world.queue.sent == []


def test_a_queued_job_is_sent_every_five_seconds_and_not_at_each_look(world: World) -> None:
    world.look(QUEUED)
    for _ in range(20):
        world.look(QUEUED, after=1)
    assert len(world.queue.sent) == 4


def test_a_queued_job_is_never_buried(world: World) -> None:
    world.look(QUEUED)
    for _ in range(20):
        world.look(QUEUED, after=1)
    assert world.store.buried == []


def test_with_no_active_job_there_is_nothing_to_do(world: World) -> None:
    world.look(None)
    world.look(None, after=3600)
    assert world.store.buried == [] and world.queue.sent == []


class Script(threading.Event):
    """An event to stop by that is set when the script's last look has been taken."""

    def __init__(self, world: World, looks: list[tuple[float, Pulse | None]]) -> None:
        super().__init__()
        self._world = world
        # A look once a second, as in life; what was there last stays until the next entry.
        self._looks: list[tuple[float, Pulse | None]] = []
        before: Pulse | None = None
        for after, pulse in looks:
            while after > 1:
                self._looks.append((1, before))
                after -= 1
            self._looks.append((after, pulse))
            before = pulse
        self._next()

    def _next(self) -> None:
        if not self._looks:
            return self.set()
        after, self._world.store.now = self._looks.pop(0)
        self._world.seconds = round(self._world.seconds + after, 6)

    def wait(self, timeout: float | None = None) -> bool:
        self._next()
        return self.is_set()


class SilentStore(FakeStore):
    """Answers only while it has a pulse."""

    def pulse(self) -> Pulse | None:
        if self.now is None:
            raise redis.ConnectionError("frozen")
        return self.now


def test_standing_still_counts_only_while_redis_answers() -> None:
    world = World()
    world.store = SilentStore()
    world.watch = JobWatch(
        cast(JobStore, world.store), cast(JobQueue, world.queue), lambda: world.seconds
    )
    # Redis is frozen for long, and the worker's first beat comes a little after it thaws.
    world.watch.watch(Script(world, [(0, RUNNING), (7, None), (60, RUNNING), (7.9, RUNNING)]))
    assert world.store.buried == []
    world.watch.watch(Script(world, [(0, RUNNING), (0.1, RUNNING), (7.9, RUNNING)]))
    assert world.store.buried == [RUNNING]


def test_a_watch_goes_on_when_sending_fails() -> None:
    class DeafQueue(FakeQueue):
        def send(self, job_id: str) -> None:
            super().send(job_id)
            raise redis.ConnectionError("refused")

    world = World()
    world.queue = DeafQueue()
    world.watch = JobWatch(
        cast(JobStore, world.store), cast(JobQueue, world.queue), lambda: world.seconds
    )
    world.watch.watch(Script(world, [(0, QUEUED), (5, QUEUED), (1, QUEUED), (5, QUEUED)]))
    assert len(world.queue.sent) == 2


def test_a_watch_looks_about_once_a_second() -> None:
    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout)
            self.set()
            return True

    waited: list[float | None] = []
    World().watch.watch(Stop())
    assert waited == [watch._LOOK_SECONDS] and watch._LOOK_SECONDS <= 1
