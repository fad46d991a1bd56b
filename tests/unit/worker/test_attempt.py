import threading
from collections.abc import Callable
from typing import cast

import pytest
import redis

from shared.errors import RunCancelled, RunLost
from shared.jobs.attempts import AttemptStore
from shared.jobs.job import JobResult, JobStatus, Stage
from shared.jobs.steps import Hold
from tests.support.versions import metrics
from worker import attempt as module
from worker.attempt import Attempt

JOB_ID = "a" * 32
NO_REDIS = redis.ConnectionError("refused")
_LONG = 60.0
"""Seconds; only a test that fails waits for so long."""

Answer = Hold | str | bool | Exception | None


class FakeStore:
    """Answers each call with the next of its script, the last again and again."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.calls: list[tuple[object, ...]] = []
        self.called = threading.Event()

    def answer_from_now_on(self, answer: Answer) -> None:
        self._answers = [answer]

    def _answer(self, *call: object) -> Answer:
        self.calls.append(call)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        self.called.set()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def report(self, job_id: str, attempt: int, stage: str, progress: float) -> Answer:
        return self._answer("report", job_id, attempt, stage, progress)

    def choose_version(self, job_id: str, attempt: int, proposed: str) -> Answer:
        return self._answer("choose_version", job_id, attempt, proposed)

    def is_forced(self, job_id: str) -> Answer:
        return self._answer("is_forced", job_id)

    def succeed(self, job_id: str, attempt: int, result: JobResult) -> Answer:
        return self._answer("succeed", job_id, attempt, result)

    def end(self, job_id: str, attempt: int, status: JobStatus, error: str) -> None:
        self._answer("end", job_id, attempt, status, error)

    def beat(self, job_id: str, attempt: int) -> Answer:
        return self._answer("beat", job_id, attempt)


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    clock = FakeTime()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def beats_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BEAT_SECONDS", 0.001)


def run_on(store: FakeStore, timeout_seconds: float = 60) -> Attempt:
    return Attempt(cast(AttemptStore, store), JOB_ID, 2, timeout_seconds)


def result(outcome: str = "promoted") -> JobResult:
    return JobResult.model_validate(
        {
            "outcome": outcome,
            "reason": "a reason",
            "model_version": "20260102-030405-abcdef",
            "metrics": metrics(),
        }
    )


# --- checkpoints ---------------------------------------------------------------------------------


def test_a_checkpoint_notes_stage_and_progress_under_the_attempts_number() -> None:
    store = FakeStore(Hold.HELD)
    run_on(store).report(Stage.FIT, 0.05)
    assert store.calls == [("report", JOB_ID, 2, Stage.FIT, 0.05)]


@pytest.mark.parametrize(
    ("answer", "error"), [(Hold.LOST, RunLost), (Hold.CANCEL_ASKED, RunCancelled)]
)
def test_a_checkpoint_ends_a_run_that_is_lost_or_cancelled(
    answer: Hold, error: type[Exception]
) -> None:
    with pytest.raises(error):
        run_on(FakeStore(answer)).report(Stage.FIT, 0.05)


def test_training_does_not_wait_for_redis_at_a_checkpoint(clock: FakeTime) -> None:
    started = clock.now
    run_on(FakeStore(NO_REDIS)).report(Stage.FIT, 0.05)
    assert clock.now == started


# --- steps that a job cannot end without ---------------------------------------------------------


def test_a_version_keeps_the_name_that_the_record_says() -> None:
    store = FakeStore("20260101-000000-aaaaaa")
    assert run_on(store).choose_version("20260102-030405-abcdef") == "20260101-000000-aaaaaa"
    assert store.calls == [("choose_version", JOB_ID, 2, "20260102-030405-abcdef")]


def test_a_lost_run_is_given_no_version_name() -> None:
    with pytest.raises(RunLost):
        run_on(FakeStore(None)).choose_version("20260102-030405-abcdef")


@pytest.mark.parametrize("forced", [True, False])
def test_whether_a_run_is_forced_is_what_the_record_says(forced: bool) -> None:
    assert run_on(FakeStore(forced)).is_forced() is forced


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        (lambda run: run.choose_version("20260102-030405-abcdef"), "20260102-030405-abcdef"),
        (lambda run: run.is_forced(), True),
        (lambda run: run.succeed(result()), Hold.HELD),
        (lambda run: run.fail("why"), None),
        (lambda run: run.cancel(), None),
    ],
)
def test_a_step_that_the_job_cannot_end_without_waits_for_redis_as_long_as_it_may(
    clock: FakeTime, step: Callable[[Attempt], object], answer: Answer
) -> None:
    store = FakeStore(NO_REDIS, redis.TimeoutError("silence"), NO_REDIS, answer)
    step(run_on(store))
    assert len(store.calls) == 4
    assert len({call[0] for call in store.calls}) == 1


def test_a_run_does_not_wait_for_redis_past_its_deadline(clock: FakeTime) -> None:
    store = FakeStore(NO_REDIS)
    started = clock.now
    with pytest.raises(RunLost):
        run_on(store, timeout_seconds=60).choose_version("20260102-030405-abcdef")
    assert 60 < clock.now - started <= 62


def test_an_end_that_cannot_be_noted_is_left_to_the_watchers(clock: FakeTime) -> None:
    run_on(FakeStore(NO_REDIS), timeout_seconds=60).fail("why")
    run_on(FakeStore(NO_REDIS), timeout_seconds=60).cancel()


# --- the end -------------------------------------------------------------------------------------


def test_a_success_is_noted_once() -> None:
    store = FakeStore(Hold.HELD)
    run_on(store).succeed(result())
    assert store.calls == [("succeed", JOB_ID, 2, result())]


@pytest.mark.parametrize(
    ("answer", "error"), [(Hold.LOST, RunLost), (Hold.CANCEL_ASKED, RunCancelled)]
)
def test_a_run_that_is_lost_or_cancelled_does_not_succeed(
    answer: Hold, error: type[Exception]
) -> None:
    with pytest.raises(error):
        run_on(FakeStore(answer)).succeed(result())


def test_force_that_came_after_the_gate_promotes_and_says_so() -> None:
    store = FakeStore(Hold.FORCE_ASKED, Hold.HELD)
    run_on(store).succeed(result("rejected"))
    first, second = (call[-1] for call in store.calls)
    assert isinstance(first, JobResult) and first.outcome == "rejected"
    assert isinstance(second, JobResult) and second.outcome == "promoted"
    assert second.reason.startswith("a reason") and "force" in second.reason
    assert second.model_version == first.model_version


@pytest.mark.parametrize(
    ("answer", "error"), [(Hold.LOST, RunLost), (Hold.CANCEL_ASKED, RunCancelled)]
)
def test_a_forced_run_may_still_be_lost_or_cancelled(answer: Hold, error: type[Exception]) -> None:
    with pytest.raises(error):
        run_on(FakeStore(Hold.FORCE_ASKED, answer)).succeed(result("rejected"))


def test_a_failure_and_a_cancellation_are_noted_with_their_status() -> None:
    store = FakeStore(None)
    run = run_on(store)
    run.fail("why")
    run.cancel()
    assert store.calls == [
        ("end", JOB_ID, 2, JobStatus.FAILED, "why"),
        ("end", JOB_ID, 2, JobStatus.CANCELLED, ""),
    ]


# --- the heart -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("beats_at_once")
def test_the_heart_beats_while_the_run_is_entered_and_not_after() -> None:
    store = FakeStore(Hold.HELD)
    with run_on(store):
        assert store.called.wait(_LONG)
    beats = len(store.calls)
    assert store.calls[0] == ("beat", JOB_ID, 2)
    store.called.clear()
    assert not store.called.wait(0.01)
    assert len(store.calls) == beats


@pytest.mark.usefixtures("beats_at_once")
def test_the_heart_beats_on_when_redis_was_away() -> None:
    beaten = threading.Event()

    class ShakyStore(FakeStore):
        def beat(self, job_id: str, attempt: int) -> Answer:
            self.calls.append(("beat",))
            if len(self.calls) < 3:
                raise NO_REDIS
            beaten.set()
            return Hold.HELD

    with run_on(ShakyStore(Hold.HELD)):
        assert beaten.wait(_LONG)


@pytest.mark.usefixtures("beats_at_once")
def test_a_run_that_its_heart_learns_is_lost_stops_at_the_next_checkpoint() -> None:
    store = FakeStore(Hold.LOST)
    run = run_on(store)
    with run:
        assert store.called.wait(_LONG)
    # The store would let it go on: it is the heart that knows.
    store.answer_from_now_on(Hold.HELD)
    with pytest.raises(RunLost):
        run.report(Stage.FIT, 0.1)


@pytest.mark.usefixtures("beats_at_once")
def test_a_lost_run_that_computes_on_ends_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    left = threading.Event()
    statuses: list[int] = []

    def leave(status: int) -> None:
        statuses.append(status)
        left.set()

    monkeypatch.setattr(module, "_LEAVE_SECONDS", 0.001)
    monkeypatch.setattr("worker.attempt.os._exit", leave)
    with run_on(FakeStore(Hold.LOST)):
        assert left.wait(_LONG)
    assert statuses == [1]


@pytest.mark.usefixtures("beats_at_once")
def test_a_lost_run_that_leaves_by_itself_does_not_take_the_process_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    statuses: list[int] = []
    monkeypatch.setattr(module, "_LEAVE_SECONDS", _LONG)
    monkeypatch.setattr("worker.attempt.os._exit", statuses.append)
    store = FakeStore(Hold.LOST)
    with run_on(store):
        assert store.called.wait(_LONG)
    assert statuses == []


@pytest.mark.usefixtures("beats_at_once")
def test_a_run_past_its_time_fails_and_names_the_setting_that_says_so(
    monkeypatch: pytest.MonkeyPatch, clock: FakeTime
) -> None:
    ended = threading.Event()
    errors: list[tuple[JobStatus, str]] = []

    class EndingStore(FakeStore):
        def end(self, job_id: str, attempt: int, status: JobStatus, error: str) -> None:
            errors.append((status, error))
            self.answer_from_now_on(Hold.LOST)
            ended.set()

    with run_on(EndingStore(Hold.HELD), timeout_seconds=90):
        assert errors == []
        clock.sleep(90.5)
        assert ended.wait(_LONG)
    status, error = errors[0]
    assert status is JobStatus.FAILED
    assert "90 s" in error and "LIFEBOAT_JOB_TIMEOUT_SECONDS" in error
