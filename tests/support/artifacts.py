"""What a failed test leaves for the person who has to understand it: `.artifacts/<test>/`.

Processes and Compose projects say that they are there (`keep_of`). When a test fails, each of them
writes its logs and its settings into the folder of that test. An object that has ended stays known
until the next test begins, because a test can fail in its teardown, too.
"""

import os
import re
import shutil
import time
import traceback
from pathlib import Path
from typing import Protocol

ARTIFACTS = Path(__file__).parents[2] / ".artifacts"
_MOST_CHARACTERS = 150


class Source(Protocol):
    """Something whose traces are worth keeping."""

    def has_ended(self) -> bool:
        """Return whether its test or fixture is through with it."""

    def keep(self, folder: Path) -> None:
        """Write what helps to understand a failure into the folder."""


_sources: list[Source] = []


def keep_of(source: Source) -> None:
    """Note a source whose traces the test that fails next keeps."""
    _sources.append(source)


def folder_of(nodeid: str) -> Path:
    """Return the folder of a test; it exists once something is kept there."""
    name = re.sub(r"[^\w.-]+", "-", nodeid.removeprefix("tests/").replace(".py::", "-"))
    return ARTIFACTS / name[:_MOST_CHARACTERS].strip("-")


def begin(nodeid: str) -> None:
    """Forget what ended before this test, and what an earlier run of the test left."""
    _sources[:] = [source for source in _sources if not source.has_ended()]
    shutil.rmtree(folder_of(nodeid), ignore_errors=True)


def keep(nodeid: str, phase: str, failure: str) -> list[Path]:
    """Write everything that is known about the failed test; return the files of its folder.

    A test without a process has none.
    """
    folder = folder_of(nodeid)
    if not _sources:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "failure.txt").open("a") as file:
        load = " ".join(f"{value:.1f}" for value in os.getloadavg())
        moment = time.strftime("%Y-%m-%d %H:%M:%S")
        file.write(
            f"{nodeid}: failed in its {phase} at {moment}; {os.cpu_count()} processors, "
            f"load average {load}\n\n{failure}\n"
        )
    for source in _sources:
        # A source that cannot be kept must not hide the failure, nor the other sources.
        try:
            source.keep(folder)
        except Exception:
            with (folder / "not-kept.txt").open("a") as file:
                file.write(traceback.format_exc())
    return sorted(path for path in folder.rglob("*") if path.is_file())
