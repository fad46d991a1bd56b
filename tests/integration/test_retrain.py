"""`make retrain`: a run started in a running stack and watched from a terminal, or a script."""

import csv
import os
import pty
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from shared.jobs.job import Stage
from tests.support.held_runs import HeldRuns
from tests.support.processes import (
    LONG_SECONDS,
    RUN_SECONDS,
    Api,
    Process,
    Stack,
    environment_of,
    free_port,
    wait_for,
)

_STAGES = ["load", "fit", "evaluate", "plot", "export", "verify", "publish"]


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cli.retrain", *arguments]


def _environment(**settings: str) -> dict[str, str]:
    return environment_of(settings) | {"COLUMNS": "100", "PYTHONUNBUFFERED": "1"}


def _retrain(url: str, *arguments: str, **settings: str) -> tuple[int, str]:
    """The exit status, and what was printed."""
    result = subprocess.run(
        _command("--url", url, *arguments),
        env=_environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_SECONDS,
    )
    assert "Traceback" not in result.stdout
    return result.returncode, result.stdout


@pytest.fixture
def table(tmp_path: Path, small_table: str) -> Path:
    """A training table that a test may change between two runs."""
    return Path(shutil.copy(small_table, tmp_path / "table.csv"))


@pytest.fixture
def served(stack: Stack, held_runs: HeldRuns, table: Path) -> Api:
    """One API process with a model, trained on `table`."""
    stack.settings["training_data"] = str(table)
    stack.start_worker()
    api = stack.start_api()
    wait_for(api.version, seconds=RUN_SECONDS)
    return api


@pytest.fixture
def watcher(served: Api, held_runs: HeldRuns) -> Iterator["Watcher"]:
    """Of a run that goes no further than its fit until it is let go."""
    # The first run must have ended, or this would be it.
    served.wait_for_end(served.http.get("/jobs").json()["jobs"][0]["job_id"])
    held_runs.hold_at(Stage.FIT)
    watcher = Watcher(served)
    yield watcher
    watcher.process.end()


def test_plain_lines_where_nobody_looks_and_the_metrics_beside_the_served_ones(
    served: Api,
) -> None:
    before = served.version()
    status, said = _retrain(served.url, "--follow")
    lines = said.splitlines()
    assert status == 0
    shown = [line for line in lines if line in _STAGES]
    assert shown and shown == [stage for stage in _STAGES if stage in shown]
    assert "\x1b" not in said
    after = served.version()
    assert after != before
    (header,) = [line for line in lines if "metric " in line]
    assert header.split() == ["metric", after, before, "difference"]
    for name in ("ROC AUC", "accuracy", "log loss", "Brier score"):
        (row,) = [line for line in lines if line.strip().startswith(name)]
        assert re.search(r"\d ± 0\.\d{4} +\d\.\d{4} ± 0\.\d{4} +0\.0000", row)
    assert lines[-1].startswith(f"promoted: {after} is served. ROC AUC ")


@pytest.mark.thorough
def test_without_follow_it_says_which_run_and_returns(served: Api) -> None:
    status, said = _retrain(served.url)
    assert status == 0
    job_id = served.http.get("/jobs").json()["jobs"][0]["job_id"]
    assert said == f"job {job_id} at {served.url}\n"


@pytest.mark.thorough
def test_a_rejected_run_says_why_and_is_promoted_when_forced(served: Api, table: Path) -> None:
    _shuffle_labels(table)
    status, said = _retrain(served.url, "--follow")
    assert status == 3
    assert "rejected: " in said and "lower is allowed" in said and "--force" in said
    status, said = _retrain(served.url, "--follow", "--force")
    assert status == 0
    assert "force was asked for" in said


@pytest.mark.thorough
def test_a_failed_run_says_what_was_wrong(served: Api, table: Path) -> None:
    table.write_text("Age\n1\n")
    status, said = _retrain(served.url, "--follow")
    assert status == 1
    assert f"failed: {table} lacks the columns" in said


@pytest.mark.thorough
def test_a_run_that_somebody_cancels(served: Api, held_runs: HeldRuns, watcher: "Watcher") -> None:
    served.http.delete(f"/jobs/{watcher.job_id}")
    held_runs.let_go()
    assert watcher.process.wait() == 4
    assert "cancelled: nothing was published" in watcher.process.output()


@pytest.mark.thorough
def test_ctrl_c_ends_the_watch_and_not_the_run(
    served: Api, held_runs: HeldRuns, watcher: "Watcher"
) -> None:
    assert watcher.process.stop(signal.SIGINT) == 130
    assert f"DELETE {served.url}/jobs/{watcher.job_id} cancels it" in watcher.process.output()
    held_runs.let_go()
    assert served.wait_for_end(watcher.job_id)["status"] == "succeeded"


@pytest.mark.thorough
def test_when_its_output_takes_no_more_the_watch_ends_and_the_run_goes_on(served: Api) -> None:
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            _command("--url", served.url, "--follow"),
            env=_environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=RUN_SECONDS,
        )
    assert result.returncode == 130
    assert result.stderr == "lifeboat: standard output takes no more: No space left on device\n"
    job_id = served.http.get("/jobs").json()["jobs"][0]["job_id"]
    assert served.wait_for_end(job_id)["status"] == "succeeded"


@pytest.mark.thorough
def test_an_api_that_restarts_in_between_is_waited_for(
    stack: Stack, served: Api, held_runs: HeldRuns, watcher: "Watcher"
) -> None:
    served.stop()
    wait_for(lambda: "does not answer" in watcher.process.output())
    stack.start_api(port=served.port)
    held_runs.let_go()
    assert watcher.process.wait(RUN_SECONDS) == 0
    output = watcher.process.output()
    assert "promoted: " in output
    # Resumed, not shown again from its beginning.
    assert len(re.findall(r"^(load|fit)$", output, re.M)) == 2


def test_redis_away(stack: Stack) -> None:
    api = stack.start_api()
    stack.redis.kill()
    status, said = _retrain(api.url, "--follow")
    assert status == 2
    assert said.startswith("lifeboat: ") and "Redis does not answer" in said


def test_a_key_is_sent_and_a_missing_or_wrong_one_is_named(stack: Stack) -> None:
    api = stack.start_api(api_key="right")
    for settings in ({}, {"api_key": "wrong"}):
        status, said = _retrain(api.url, **settings)
        assert status == 2
        assert said.startswith("lifeboat: ") and "LIFEBOAT_API_KEY" in said
    status, said = _retrain(api.url, api_key="right")
    assert (status, said[:4]) == (0, "job ")


def test_nobody_there_or_somebody_else(stack: Stack) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    status, said = _retrain(nobody, "--follow")
    assert status == 2
    assert nobody in said and "make run" in said
    # Redis is there, and does not speak HTTP.
    status, said = _retrain(f"http://127.0.0.1:{stack.redis.port}")
    assert status == 2
    assert said.startswith("lifeboat: ")


def test_wrong_usage(tmp_path: Path) -> None:
    assert _retrain("http://127.0.0.1", "--what")[0] == 2
    status, said = _retrain("http://127.0.0.1", port="none")
    assert status == 2
    assert said.startswith("lifeboat: LIFEBOAT_PORT: ")


@pytest.mark.thorough
def test_on_a_terminal_a_bar_moves_in_place(served: Api) -> None:
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        _command("--url", served.url, "--follow"),
        env=_environment() | {"TERM": "xterm-256color"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    written = "".join(_read(controller))
    os.close(controller)
    assert process.wait(LONG_SECONDS) == 0
    percents = [int(found) for found in re.findall(r"(\d+)%", written)]
    assert percents == sorted(percents) and percents[-1] == 100
    assert any(0 < percent < 100 for percent in percents)
    # What is on the screen in the end: each line once, however often it was drawn.
    screen = _screen(written)
    assert (
        screen.count("✓ load   ✓ fit   ✓ evaluate   ✓ plot   ✓ export   ✓ verify   ✓ publish") == 1
    )
    assert screen.count("evaluate") == 1
    assert re.search(r"━{60} +100% 0:\d\d:\d\d", screen)
    assert "served before" in screen and "promoted: " in screen


class Watcher:
    """A run that is held in its fit, and a process that follows it and writes to a file."""

    def __init__(self, api: Api) -> None:
        log = Path.cwd() / "watcher.log"
        self.process = Process(
            _command("--url", api.url, "--follow"), log, {"PYTHONUNBUFFERED": "1"}
        )
        wait_for(lambda: re.search(r"^fit$", self.process.output(), re.M), why=self.process.output)
        self.job_id = self.process.output().split()[1]


def _shuffle_labels(table: Path) -> None:
    with table.open(newline="") as source:
        header, *rows = list(csv.reader(source))
    column = header.index("Survived")
    labels = [row[column] for row in rows]
    random.Random(0).shuffle(labels)
    for row, label in zip(rows, labels, strict=True):
        row[column] = label
    with table.open("w", newline="") as target:
        csv.writer(target).writerows([header, *rows])


def _read(descriptor: int) -> Iterator[str]:
    # Linux says EIO when nobody has the other end any more.
    with (
        suppress(OSError),
        open(descriptor, encoding="utf-8", newline="", closefd=False) as stream,
    ):
        while text := stream.read(1):
            yield text


def _screen(written: str) -> str:
    """What a terminal shows of it: rich moves up, erases lines and writes them anew."""
    rows, row = [""], 0
    for part in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
        if part == "\n":
            row += 1
            rows += [""] * (row == len(rows))
        elif part == "\x1b[2K":
            rows[row] = ""
        elif re.fullmatch(r"\x1b\[\d+A", part):
            row -= int(part[2:-1])
        elif not part.startswith(("\x1b", "\r")):
            rows[row] += part
    return "\n".join(rows)
