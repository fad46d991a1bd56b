import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_PROGRAM = """
import logging, logging.config, sys
library = logging.getLogger("library")
from shared.log import log_config
logging.config.dictConfig(log_config(sys.argv[1]))
for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
    library.log(level, "job %s", "x")
logging.getLogger("celery.app.trace").info("noise")
"""


def logged(level: str) -> list[str]:
    """What a process of its own writes that is configured so, because logging is global."""
    process = subprocess.run(
        [sys.executable, "-c", _PROGRAM, level],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout == ""
    return process.stderr.splitlines()


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("DEBUG", ["DEBUG", "INFO", "WARNING", "ERROR"]),
        ("INFO", ["INFO", "WARNING", "ERROR"]),
        ("ERROR", ["ERROR"]),
    ],
)
def test_a_process_logs_lines_of_one_shape_from_its_level_on(level: str, shown: list[str]) -> None:
    lines = logged(level)
    shape = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (\w+) +\d+ library: job x")
    assert [match[1] if (match := shape.fullmatch(line)) else line for line in lines] == shown
