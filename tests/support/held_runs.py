"""Training runs that stop where a test says, and go on when it says so.

A test that acts in the middle of a run then need not be quicker than the run. Python's
`sitecustomize` makes the worker's child wait; meanwhile the child beats its heart and does no more.
"""

import os
import time
from pathlib import Path

from shared.jobs.job import JobResult, Stage

_ROOT = Path(__file__).parents[2]
_LAST_STEP = "last-step"
_LOOK_SECONDS = 0.01

_SITECUSTOMIZE = """
from pathlib import Path
from tests.support.held_runs import install
install(Path({folder!r}))
"""


class HeldRuns:
    """Holds the runs of each worker that is started with `python_path` as its PYTHONPATH."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.python_path = f"{folder}{os.pathsep}{_ROOT}"
        (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE.format(folder=str(folder)))

    def hold_at(self, stage: Stage) -> None:
        """Hold the runs to come in a stage, when they have reported it."""
        (self.folder / f"hold-{stage}").touch()

    def hold_before_the_last_step(self) -> None:
        """Hold the runs to come when their version is published and their job has not ended."""
        (self.folder / f"hold-{_LAST_STEP}").touch()

    def is_any_held(self) -> bool:
        return any(self.folder.glob("held-*"))

    def let_go(self) -> None:
        """Let the runs that are held go on, and those to come."""
        # What says that a run is held stays where the run was killed.
        for pattern in ("hold-*", "held-*"):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)


def install(folder: Path) -> None:
    """Hold the runs of this process; called by its `sitecustomize`."""
    from worker.attempt import Attempt

    report, succeed = Attempt.report, Attempt.succeed

    def held_report(self: Attempt, stage: Stage, progress: float) -> None:
        report(self, stage, progress)
        _wait(folder, stage)

    def held_succeed(self: Attempt, result: JobResult) -> None:
        _wait(folder, _LAST_STEP)
        succeed(self, result)

    Attempt.report = held_report  # type: ignore[method-assign]
    Attempt.succeed = held_succeed  # type: ignore[method-assign]


def _wait(folder: Path, where: str) -> None:
    hold, held = folder / f"hold-{where}", folder / f"held-{where}-{os.getpid()}"
    if not hold.exists():
        return
    held.touch()
    while hold.exists():
        time.sleep(_LOOK_SECONDS)
    held.unlink(missing_ok=True)
