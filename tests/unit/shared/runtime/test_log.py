import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.processes import clean_environment

_ROOT = Path(__file__).parents[4]
_START = """
import logging, sys, threading, warnings
library = logging.getLogger("library")
from shared.runtime import log_context
from shared.runtime.log import configure
configure(sys.argv[1], sys.argv[2])
"""
_LEVELS = """
for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
    library.log(level, "job %s", "x")
logging.getLogger("celery.app.trace").info("noise")
"""


def written(program: str, level: str = "INFO", shape: str = "text") -> list[str]:
    """What a process of its own writes that is configured so, because logging is global."""
    process = subprocess.run(
        [sys.executable, "-c", _START + program, level, shape],
        cwd=_ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert process.stdout == ""
    return process.stderr.splitlines()


def objects(program: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in written(program, shape="json")]


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("DEBUG", ["DEBUG", "INFO", "WARNING", "ERROR"]),
        ("INFO", ["INFO", "WARNING", "ERROR"]),
        ("ERROR", ["ERROR"]),
    ],
)
def test_a_process_logs_lines_of_one_shape_from_its_level_on(level: str, shown: list[str]) -> None:
    shape = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (\w+) +\d+ library: job x")
    lines = written(_LEVELS, level)
    assert [match[1] if (match := shape.fullmatch(line)) else line for line in lines] == shown
    read = [json.loads(line) for line in written(_LEVELS, level, "json")]
    assert [line["level"] for line in read] == shown


def test_a_json_line_says_when_in_utc_and_which_process() -> None:
    before = datetime.now(UTC)
    (line,) = objects("library.warning('oh')")
    assert set(line) == {"time", "level", "logger", "message", "process"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(line["time"]))
    passed = datetime.fromisoformat(str(line["time"])) - before
    assert abs(passed.total_seconds()) < 60
    assert isinstance(line["process"], int)


_ABOUT = """
library.info("before")
with log_context.about_job("j"):
    log_context.request_id.set("r")
    library.info("during", extra={"model_version": "v"})
    library.info("of another", extra={"job_id": "k"})
library.info("after")
"""


def test_a_line_says_what_it_is_about() -> None:
    names = ("request_id", "job_id", "model_version")
    lines = [{name: line[name] for name in names if name in line} for line in objects(_ABOUT)]
    assert lines == [
        {},
        {"request_id": "r", "job_id": "j", "model_version": "v"},
        {"request_id": "r", "job_id": "k"},
        {},
    ]
    ends = [line.partition(" library: ")[2] for line in written(_ABOUT)]
    assert ends == [
        "before",
        "during request_id=r job_id=j model_version=v",
        "of another request_id=r job_id=k",
        "after",
    ]


_CALLER = r"""
log_context.caller.set(
    {"client": "::1", "requested_by": "ada\"s api_key=key", "api_key": "key 2"}
)
library.info("changed")
"""


def test_a_line_says_who_made_the_call_and_no_value_passes_for_two_fields() -> None:
    (line,) = objects(_CALLER)
    caller = {"client": "::1", "requested_by": 'ada"s api_key=key', "api_key": "key 2"}
    assert caller.items() <= line.items()
    (text,) = written(_CALLER)
    assert text.endswith(r' changed client=::1 requested_by="ada\"s api_key=key" api_key="key 2"')


def test_a_message_does_not_pass_for_two() -> None:
    program = r"library.info('%s', 'a\n2026-01-01 00:00:00,000 INFO    1 b: c\n')"
    (line,) = objects(program)
    assert line["message"] == "a\n2026-01-01 00:00:00,000 INFO    1 b: c"
    first, second = written(program)
    assert first.endswith(" library: a")
    assert second == "    2026-01-01 00:00:00,000 INFO    1 b: c"


def test_an_exception_is_part_of_its_line() -> None:
    program = "try: 1 / 0\nexcept ZeroDivisionError: library.exception('failed')"
    (line,) = objects(program)
    assert line["message"] == "failed"
    assert str(line["exception"]).startswith("Traceback (most recent call last):\n")
    assert str(line["exception"]).endswith("\nZeroDivisionError: division by zero")
    assert written(program)[-1] == "ZeroDivisionError: division by zero"


def test_a_line_can_hold_what_no_text_can() -> None:
    (line,) = objects(
        r"library.info('%s', b'\xff\x00'.decode(errors='surrogateescape') + '\u2028')"
    )
    assert line["message"] == "\udcff\x00"


@pytest.mark.parametrize(
    ("program", "level", "said"),
    [
        ("warnings.warn('old', FutureWarning)", "WARNING", "FutureWarning: old"),
        ("raise ValueError('bad')", "CRITICAL", "ValueError: bad"),
        (
            "thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()",
            "CRITICAL",
            "ZeroDivisionError",
        ),
        ("class A:\n  def __del__(self): 1 / 0\nA()", "ERROR", "ZeroDivisionError"),
    ],
)
def test_what_python_writes_by_itself_is_a_line_too(program: str, level: str, said: str) -> None:
    (line,) = objects(program)
    assert line["level"] == level
    assert said in f"{line['message']} {line.get('exception')}"
