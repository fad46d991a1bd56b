import logging

import pytest

from shared.runtime import log_flood
from shared.runtime.log import JsonFormatter, TextFormatter
from shared.runtime.log_flood import LINES, SECONDS, FloodFilter


def record(logger: str = "uvicorn.error", line: int = 1, message: str = "%s") -> logging.LogRecord:
    return logging.LogRecord(logger, logging.INFO, "a.py", line, message, ("x",), None)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    return clock


@pytest.mark.parametrize("logger", ["uvicorn.error", "api.http.envelope", "api.routes.jobs"])
def test_one_place_logs_so_many_lines_for_clients_in_a_time(logger: str, now: list[float]) -> None:
    flood = FloodFilter()
    some = [record(logger) for _ in range(1000)]
    taken = [one.getMessage() for one in some if flood.filter(one)]
    assert len(taken) == LINES
    assert taken[0] == "x" and "are left out for up to 10 s" in taken[-1]
    now[0] += SECONDS
    after = [record(logger), record(logger)]
    assert all(map(flood.filter, after))
    assert [one.getMessage() for one in after] == [
        f"x (before it, {1000 - LINES} lines like this one were left out)",
        "x",
    ]


def test_other_places_and_what_no_client_causes_are_logged_meanwhile(now: list[float]) -> None:
    flood = FloodFilter()
    for _ in range(2 * LINES):
        flood.filter(record())
    assert not flood.filter(record())
    assert flood.filter(record(line=2))
    for _ in range(2 * LINES):
        assert flood.filter(record("api.serving.watcher"))


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_line_has_a_greatest_length_and_obeys_nobody(formatter: logging.Formatter) -> None:
    long = record(message=f"begin%s{'é' * 1_000_000}end")
    assert len(formatter.format(long)) < 7 * log_flood.LONGEST
    assert "begin" in formatter.format(long) and "end" in formatter.format(long)
    evil = formatter.format(record(message="\x1b[2J%s\r\x9b\x00"))
    assert evil.isprintable()
