"""What a `make run` leaves if it is killed together with the lifelines of its processes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.leftovers import described, left_over, mark
from tests.support.processes import wait_for

_NOBODY = 2**22 + 1
"""Above the largest id that Linux gives to a process."""


@pytest.fixture
def started() -> Iterator[list["subprocess.Popen[bytes]"]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def test_they_are_found_by_their_folder_or_by_its_lock_and_named(
    tmp_path: Path, started: list["subprocess.Popen[bytes]"]
) -> None:
    models, lock = tmp_path / "models", tmp_path / "lock"
    lock.touch()
    # Redis's server overwrites its environment.
    (tmp_path / "redis-tail").symlink_to(str(shutil.which("tail")))
    ((name, ours),) = mark(models).items()
    assert ours.startswith(f"{os.getpid()} ")

    def start(mark: str, *arguments: str) -> int:
        started.append(
            subprocess.Popen(arguments, env={name: mark} if mark else {}, stdout=subprocess.DEVNULL)
        )
        return started[-1].pid

    tail = ("-f", str(lock))
    sleep = (sys.executable, "-c", "import time; time.sleep(60)")
    left = {
        start(f"{_NOBODY} {models}", *sleep),
        start("", str(tmp_path / "redis-tail"), *tail),
    }
    start(ours, *sleep)
    start(f"{_NOBODY} {tmp_path / 'other'}", *sleep)
    start("", *("tail", *tail))

    def found() -> bool:
        return {process.pid for process in left_over(models, lock)} == left

    wait_for(found)
    said = described(left_over(models, lock))
    assert all(f"{pid} (" in said for pid in left) and "(redis-tail)" in said
