import threading

import pytest

from shared.runtime import background
from shared.runtime.background import Background

_LONG = 60.0
"""Seconds; only a test that fails waits for so long."""


def alive(name: str) -> bool:
    return any(thread.name == name for thread in threading.enumerate())


def test_duties_run_side_by_side_until_they_are_stopped() -> None:
    both = threading.Barrier(2)

    def first_duty(stop: threading.Event) -> None:
        both.wait(_LONG)
        stop.wait(_LONG)

    def second_duty(stop: threading.Event) -> None:
        both.wait(_LONG)
        stop.wait(_LONG)

    duties = Background(first_duty, second_duty)
    assert not alive("first_duty")
    duties.start()
    assert alive("first_duty") and alive("second_duty")
    duties.stop()
    assert not alive("first_duty") and not alive("second_duty")
    assert not both.broken


def test_a_duty_that_raises_is_logged_and_begins_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "_RESTART_SECONDS", 0)
    begun = []
    recovered = threading.Event()

    def shaky_duty(stop: threading.Event) -> None:
        begun.append(1)
        if len(begun) < 4:
            # The second is the same as the first, and logged with it.
            raise RuntimeError("a bad moment" if len(begun) < 3 else "another")
        recovered.set()

    duties = Background(shaky_duty)
    duties.start()
    assert recovered.wait(_LONG)
    duties.stop()
    assert len(begun) == 4
    messages = [record.getMessage() for record in caplog.records]
    assert len([message for message in messages if "shaky_duty" in message]) == 2
    assert "a bad moment" in caplog.text


def test_a_duty_that_is_done_is_not_begun_again() -> None:
    begun = []

    def short_duty(stop: threading.Event) -> None:
        begun.append(1)

    duties = Background(short_duty)
    duties.start()
    duties.stop()
    assert len(begun) == 1
    assert not alive("short_duty")


def test_a_duty_that_always_raises_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_RESTART_SECONDS", _LONG)
    raised = threading.Event()

    def hopeless_duty(stop: threading.Event) -> None:
        raised.set()
        raise RuntimeError("again")

    duties = Background(hopeless_duty)
    duties.start()
    assert raised.wait(_LONG)
    duties.stop()
    assert not alive("hopeless_duty")
